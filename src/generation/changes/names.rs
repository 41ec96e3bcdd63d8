//! Spack's rules for folders of packages: which names are valid, and which package a folder holds.

/// Python's keywords in lower case: no module can have such a name, so the folder carries an underscore in front.
const KEYWORDS: [&str; 32] = [
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
    "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise",
    "return", "try", "while", "with", "yield",
];

/// How a package repository names its folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// Before version 2 of the package interface the folder is the name.
    Folder,
    /// Since version 2 the folder is a Python module.
    Module,
}

impl Naming {
    /// The package that lives in a folder of this name; none when Spack would not take the folder for a package.
    ///
    /// Since version 2 the folder follows from the name and the other way round: dashes are underscores, and a name that begins with a
    /// digit or is a keyword has an underscore in front. Package names themselves have no underscore there.
    pub(super) fn package(self, folder: &str) -> Option<String> {
        match self {
            Self::Folder => {
                let mut chars = folder.chars();
                let is_word = |c: char| c.is_alphanumeric() || c == '_';
                let is_valid = chars.next().is_some_and(is_word) && chars.all(|c| is_word(c) || c == '-');
                is_valid.then(|| folder.to_owned())
            }
            Self::Module => is_module(folder).then(|| folder.trim_start_matches('_').replace('_', "-")),
        }
    }
}

/// Whether this is a valid name of a module in version 2 of the package interface.
pub(super) fn is_module(folder: &str) -> bool {
    let is_word = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_');
    let begins_well = folder.starts_with(|c| matches!(c, 'a'..='z' | '_'));
    if !begins_well || !folder.chars().all(is_word) || folder.contains("__") {
        return false;
    }
    match folder.strip_prefix('_') {
        // The underscore stands only where the rest would be no module.
        Some(rest) => KEYWORDS.contains(&rest) || rest.starts_with(|c: char| c.is_ascii_digit()),
        None => !KEYWORDS.contains(&folder),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folder_of(package: &str) -> String {
        let module = package.replace('-', "_");
        let needs_mark = module.starts_with(|c: char| c.is_ascii_digit()) || KEYWORDS.contains(&module.as_str());
        if needs_mark { format!("_{module}") } else { module }
    }

    #[test]
    fn modules_become_package_names_as_in_spack() {
        for (folder, package) in [
            ("zlib_ng", Some("zlib-ng")),
            ("zlib", Some("zlib")),
            ("_7zip", Some("7zip")),
            ("_3proxy", Some("3proxy")),
            ("_lambda", Some("lambda")),
            ("_async", Some("async")),
            ("py_async_generator", Some("py-async-generator")),
            ("r_data_table", Some("r-data-table")),
            // Not modules, so no packages.
            ("7zip", None),
            ("lambda", None),
            ("_zlib", None),
            ("_", None),
            ("__init__", None),
            ("py__six", None),
            ("zlib-ng", None),
            ("Zlib", None),
            ("__pycache__", None),
            ("README.md", None),
            ("größe", None),
            ("", None),
        ] {
            assert_eq!(Naming::Module.package(folder).as_deref(), package, "{folder}");
        }
    }

    #[test]
    fn before_version_2_the_folder_is_the_name() {
        for (folder, package) in [
            ("zlib-ng", Some("zlib-ng")),
            ("py_thing", Some("py_thing")),
            ("7zip", Some("7zip")),
            ("_x", Some("_x")),
            ("-x", None),
            ("package.py", None),
            ("a b", None),
            ("", None),
        ] {
            assert_eq!(Naming::Folder.package(folder).as_deref(), package, "{folder}");
        }
    }

    proptest! {
        #[test]
        fn a_package_has_one_folder(name in "[a-z0-9][a-z0-9]{0,3}(-[a-z0-9]{1,3}){0,3}") {
            prop_assert_eq!(Naming::Module.package(&folder_of(&name)), Some(name));
        }

        #[test]
        fn a_folder_has_one_package(folder in "[a-z0-9_]{1,8}") {
            if let Some(package) = Naming::Module.package(&folder) {
                prop_assert_eq!(folder_of(&package), folder);
            }
        }

        #[test]
        fn any_folder_is_judged(folder in "\\PC*") {
            let _ = (Naming::Module.package(&folder), Naming::Folder.package(&folder));
        }
    }
}
