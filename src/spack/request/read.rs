//! Reads the text of a request, in one pass and without recursion.
//!
//! A node is a package with its attributes; `%` and `^` begin further nodes. As in Spack, an attribute belongs to the
//! node before it, a dash is a sigil only at the start of a word, and `%c=gcc` after a sigil assigns virtual packages.

use super::super::DepTypes;
use super::super::describe::FLAG_LISTS;
use super::ask::{Ask, Asked, Edge, Names, Node, Wanted, flag};
use super::cursor::{Cursor, Read, brief, is_identifier, is_name, is_word};
use super::error::RequestError;
use super::version::{Element, GitRef, Range, Version, Versions, is_commit};

/// The longest request of Spack's own stacks has 600 characters.
const MAX_BYTES: usize = 16 * 1024;

/// Attributes that are spelled like variants.
const ATTRIBUTES: [&str; 7] = ["arch", "architecture", "platform", "os", "operating_system", "target", "namespace"];

/// What compilers were called before they were packages.
pub const COMPILERS: [(&str, &str); 5] = [
    ("clang", "llvm"),
    ("oneapi", "intel-oneapi-compilers"),
    ("rocmcc", "llvm-amdgpu"),
    ("intel", "intel-oneapi-compilers-classic"),
    ("arm", "acfl"),
];

/// Words that mean something else on every machine.
const OF_THE_MACHINE: [&str; 6] = ["default_os", "default_target", "fe", "frontend", "be", "backend"];

/// A request whose grammar is sound.
pub struct Reading {
    pub asked: Asked,
    /// The first thing in it that a lock cannot answer.
    pub refused: Option<RequestError>,
}

pub fn read(text: &str) -> Read<Reading> {
    let mut cursor = Cursor::new(text);
    if text.len() > MAX_BYTES {
        return cursor.fail(0, format!("it has {} bytes; shorten it to {MAX_BYTES}", text.len()));
    }
    let root = cursor.node()?;
    if root.is_none() && cursor.peek().is_none() {
        return cursor.fail(0, "it asks for nothing; write a package, or `@:` for every package");
    }
    let mut asked = Asked { node: root.unwrap_or_default(), ..Asked::default() };
    loop {
        let at = cursor.at;
        // `%%` is a wish for the dependencies of the dependency; it restricts nothing.
        let direct = cursor.eat("%%") || cursor.eat("%");
        if !direct && !cursor.eat("^") {
            break;
        }
        let edge = cursor.edge(at, direct)?;
        match asked.below.last_mut() {
            Some(dependency) if direct => dependency.direct.push(edge),
            _ if direct => asked.direct.push(edge),
            _ => asked.below.push(edge),
        }
    }
    asked.settle();
    Ok(Reading { asked, refused: cursor.refused })
}

impl<'a> Cursor<'a> {
    /// One package with its attributes, up to a sigil of a dependency or the end. `None` if there is nothing.
    fn node(&mut self) -> Read<Option<Node>> {
        let mut node = Node::default();
        let mut first = true;
        let mut versioned = false;
        loop {
            self.blanks();
            let at = self.at;
            match self.peek() {
                None | Some('^' | '%') => return Ok((!first).then_some(node)),
                Some('@') if versioned => {
                    return self.fail(at, "a second `@`; write all versions in one list: `@1.2,1.4:`");
                }
                Some('@') => {
                    node.versions = self.versions()?;
                    versioned = true;
                }
                Some(sigil @ ('+' | '~' | '-')) => self.switch(&mut node, sigil)?,
                Some('/') => self.hash(&mut node)?,
                // A nameless package may have its place held.
                Some('*') if first => self.at += 1,
                Some(c) if is_word(c) => self.word(&mut node, first)?,
                Some(c) => return self.stranger(at, c),
            }
            first = false;
        }
    }

    fn stranger<T>(&self, at: usize, c: char) -> Read<T> {
        let start = self.text.get(..at).and_then(|before| before.rfind(char::is_whitespace)).unwrap_or(0);
        let word = self.text.get(start..).unwrap_or_default().split_whitespace().next().unwrap_or_default();
        let what = match c {
            '$' => {
                "`$` names a list or a variable, which is not replaced here; write out what it stands for".to_owned()
            }
            _ if [".json", ".yaml"].iter().any(|end| word.ends_with(end)) => {
                "files of specs are not read; write the spec itself".to_owned()
            }
            '"' | '\'' => "only a value after `=` can be quoted; remove the quotes".to_owned(),
            _ => format!("`{}` is no part of a spec; remove it or quote the value it belongs to", c.escape_debug()),
        };
        self.fail(at, what)
    }

    /// A package name, or an attribute `name=value`.
    fn word(&mut self, node: &mut Node, first: bool) -> Read<()> {
        let at = self.at;
        let word = self.take(is_name);
        let exactly = self.rest().starts_with(":=") && self.eat(":");
        if self.eat("=") {
            let throughout = self.eat("=");
            return self.attribute(node, at, word, exactly, throughout);
        }
        if !first {
            return self
                .fail(at, format!("`{}` begins a second spec; write `^` or `%` before a dependency", brief(word)));
        }
        let (namespace, name) = word.rsplit_once('.').map_or((None, word), |(space, name)| (Some(space), name));
        if !word.split('.').all(is_identifier) {
            return self
                .fail(at, format!("`{}` is no package name; names have letters, digits, `_` and `-`", brief(word)));
        }
        node.name = Some(name.into());
        node.namespace = namespace.map(Into::into);
        Ok(())
    }

    fn attribute(&mut self, node: &mut Node, at: usize, name: &str, exactly: bool, throughout: bool) -> Read<()> {
        let value_at = self.at;
        let (value, quoted) = self.value(at, name)?;
        if !quoted && let Some(sigil) = value.find(['%', '^']) {
            let what = "a dependency cannot follow a value directly; write a blank before it, or quote the value";
            return self.fail(value_at + sigil, what);
        }
        if ATTRIBUTES.contains(&name) {
            if exactly || throughout {
                return self.fail(at, format!("`{name}` is no variant; write `{name}=…`"));
            }
            let fresh = match name {
                "namespace" => set(&mut node.namespace, value.as_str()),
                "platform" => set(&mut node.platform, value.as_str()),
                "os" | "operating_system" => self.os(node, value_at, &value),
                "target" => self.targets(node, value_at, &value),
                _ => self.arch(node, value_at, &value)?,
            };
            return if fresh { Ok(()) } else { self.fail(at, format!("`{name}` is given twice; keep one of them")) };
        }
        if FLAG_LISTS.contains(&name) {
            node.flags.entry((name.into(), throughout)).or_default().extend(compiler_flags(&value));
            return Ok(());
        }
        if name == "when" {
            return self.fail(at, "conditions cannot be judged here; write a spec for each case");
        }
        let mut values: Names = value.split(',').map(|value| value.trim().into()).collect();
        let ask = match flag(&value) {
            Some(flag) => Ask::Flag(flag),
            None if value == "*" => Ask::Set,
            None if values.contains("*") => {
                return self.fail(value_at, "`*` stands for any value; write no others beside it");
            }
            None if exactly => Ask::Exactly(std::mem::take(&mut values)),
            None => Ask::Has(values),
        };
        self.want(node, at, name, Wanted { ask, throughout })
    }

    fn want(&self, node: &mut Node, at: usize, name: &str, wanted: Wanted) -> Read<()> {
        match node.variants.insert(name.into(), wanted) {
            None => Ok(()),
            Some(_) => self.fail(at, format!("the variant `{}` is given twice; keep one of them", brief(name))),
        }
    }

    /// `platform-os-target`, where `None` leaves a part free; without dashes it is a target.
    fn arch(&mut self, node: &mut Node, at: usize, value: &str) -> Read<bool> {
        let parts: Vec<&str> = value.split('-').collect();
        match parts.as_slice() {
            [target] => Ok(self.targets(node, at, target)),
            [platform, os, target] => {
                let free = |part: &str| matches!(part, "None" | "*");
                Ok((free(platform) || set(&mut node.platform, platform))
                    && (free(os) || self.os(node, at, os))
                    && (free(target) || self.targets(node, at, target)))
            }
            _ => self.fail(at, "an architecture is `platform-os-target`; write all three, or only `target=…`"),
        }
    }

    fn os(&mut self, node: &mut Node, at: usize, value: &str) -> bool {
        self.refuse_of_the_machine(at, value);
        set(&mut node.os, value)
    }

    fn targets(&mut self, node: &mut Node, at: usize, value: &str) -> bool {
        let fresh = node.targets.is_none();
        // `target=:` is any target at all.
        if !matches!(value, ":" | "*") {
            self.refuse_of_the_machine(at, value);
            if value.contains(':') {
                self.refuse(at, "ranges of targets cannot be judged; write the targets themselves: `target=a,b`");
            }
            node.targets = Some(value.split(',').map(Into::into).collect());
        }
        fresh
    }

    fn refuse_of_the_machine(&mut self, at: usize, value: &str) {
        if OF_THE_MACHINE.contains(&value) {
            self.refuse(at, format!("`{value}` differs from machine to machine; write its name"));
        }
    }

    /// `+v`, `~v`, `-v`, and `++v`, `~~v`, `--v` for the dependencies as well.
    fn switch(&mut self, node: &mut Node, sigil: char) -> Read<()> {
        let at = self.at;
        self.at += 1;
        let throughout = self.rest().starts_with(sigil);
        self.at += usize::from(throughout);
        self.blanks();
        let name = self.take(is_name);
        if !name.starts_with(is_word) {
            return self.fail(at, format!("`{sigil}` names no variant; write one after it, or remove it"));
        }
        if ATTRIBUTES.contains(&name) || FLAG_LISTS.contains(&name) {
            return self.fail(at, format!("`{name}` is no switch; write `{name}=…`"));
        }
        self.want(node, at, name, Wanted { ask: Ask::Flag(sigil == '+'), throughout })
    }

    fn hash(&mut self, node: &mut Node) -> Read<()> {
        let at = self.at;
        self.at += 1;
        let hash = self.take(is_word);
        if hash.is_empty() || hash.len() > 32 || !hash.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')) {
            let what = format!("`/{}` begins no DAG hash; write up to 32 characters, each a–z or 2–7", brief(hash));
            return self.fail(at, what);
        }
        if set(&mut node.hash, hash) { Ok(()) } else { self.fail(at, "a second hash; keep one of them") }
    }

    /// `@1.2`, `@=1.2`, `@1.2:1.5,2:`, `@git.main=2.0`, …
    fn versions(&mut self) -> Read<Option<Versions>> {
        self.at += 1;
        self.blanks();
        let mut elements = Vec::new();
        loop {
            elements.push(self.element(elements.is_empty())?);
            let after = self.at;
            self.blanks();
            if matches!(elements.last(), Some(Element::Git(_))) || !self.eat(",") {
                self.at = after;
                break;
            }
            self.blanks();
        }
        Ok(Versions::of(elements))
    }

    fn element(&mut self, may_be_git: bool) -> Read<Element> {
        let at = self.at;
        let exactly = self.eat("=");
        let start = self.at;
        let mut from = self.take(is_name);
        if from.starts_with("git.") || is_commit(from) {
            if !may_be_git {
                return self.fail(at, "a git reference cannot stand in a list of versions; write a spec of its own");
            }
            self.take(|c| is_name(c) || c == '/');
            if self.eat("=") && self.take(is_name).is_empty() {
                return self.fail(self.at, "a version belongs after `=`; write it, or remove the `=`");
            }
            from = self.text.get(start..self.at).unwrap_or_default();
            return match GitRef::read(from) {
                Some(git) if from != "git." => Ok(Element::Git(git)),
                _ => self.fail(at, "`git.` names no reference; write a branch or tag after it"),
            };
        }
        self.check_version(start, from)?;
        if exactly {
            return match from {
                "" => self.fail(at, "`@=` names no version; write one after it"),
                _ if self.peek() == Some(':') => self.fail(at, "a range has no exact end; remove the `=`"),
                _ => Ok(Element::Exact(Version::read(from))),
            };
        }
        let open = |end: &'a str| (!end.is_empty()).then_some(end);
        let range = if self.eat(":") {
            let to_at = self.at;
            let mut to = self.take(is_name);
            let after = self.at;
            self.blanks();
            // `@1.2:shared=no` is an open range and an attribute.
            let attribute = self.rest().starts_with('=') || self.rest().starts_with(":=");
            self.at = if attribute { to_at } else { after };
            if attribute {
                to = "";
            }
            self.check_version(to_at, to)?;
            Range::new(open(from), open(to))
        } else if from.is_empty() {
            return self.fail(at, "a version belongs here; write one, or a range such as `1.2:`");
        } else {
            Range::new(Some(from), Some(from))
        };
        match range {
            Some(range) => Ok(Element::Range(range)),
            None => self.fail(at, "no version lies in this range; swap its ends"),
        }
    }

    fn check_version(&self, at: usize, text: &str) -> Read<()> {
        if text.starts_with(['.', '-']) || text.ends_with(['.', '-']) {
            let what = format!("the version `{}` must begin and end with a letter or digit; complete it", brief(text));
            return self.fail(at, what);
        }
        Ok(())
    }

    /// What follows the sigil of a dependency.
    fn edge(&mut self, at: usize, direct: bool) -> Read<Edge> {
        let mut edge = Edge::default();
        if self.eat("[") {
            self.properties(at, &mut edge)?;
        }
        self.blanks();
        let assigned = self.assigned()?;
        let Some(mut node) = self.node()? else {
            return self.fail(at, "this sigil has no dependency; write a package after it, or remove it");
        };
        if !assigned.is_empty() && node.name.is_none() {
            return self.fail(at, "virtual packages are assigned to no package; write one after the `=`");
        }
        edge.virtuals.extend(assigned);
        if direct && let Some((_, package)) = COMPILERS.iter().find(|(old, _)| node.name.as_deref() == Some(old)) {
            node.name = Some((*package).into());
        }
        edge.node = node;
        Ok(edge)
    }

    /// The virtual packages before the `=` of `c,cxx=gcc`. The package itself is left to be read.
    fn assigned(&mut self) -> Read<Names> {
        let start = self.at;
        let list = self.take(|c| is_word(c) || c == '-' || c == ',');
        if self.eat("=") && list.split(',').all(is_identifier) {
            match self.peek() {
                Some('*') => return self.fail(start, "`*` is no provider; write the package"),
                Some(c) if is_word(c) => return Ok(list.split(',').map(Into::into).collect()),
                _ => {}
            }
        }
        self.at = start;
        Ok(Names::new())
    }

    /// `[virtuals=c,cxx deptypes=build]`, after the bracket.
    fn properties(&mut self, start: usize, edge: &mut Edge) -> Read<()> {
        loop {
            self.blanks();
            if self.eat("]") {
                return Ok(());
            }
            let at = self.at;
            let name = self.take(is_name);
            if !self.eat(":=") && !self.eat("=") {
                return self.fail(start, "the `[` is not closed soundly; write `[virtuals=… deptypes=…]`");
            }
            let (value, _) = self.value(at, name)?;
            let words = || value.split(',').map(str::trim);
            match name {
                "virtuals" if words().all(is_identifier) => edge.virtuals.extend(words().map(Into::into)),
                "deptypes" if words().all(|word| DepTypes::from_word(word).is_some()) => {
                    edge.types.extend(words().map(Into::into));
                }
                "when" => {
                    edge.condition = Some(value.split_whitespace().collect());
                    self.refuse(at, "conditions on dependencies cannot be judged; write a spec for each case");
                }
                "virtuals" => return self.fail(at, "`virtuals` takes names of virtual packages, joined by commas"),
                "deptypes" => return self.fail(at, "`deptypes` takes build, link, run and test, joined by commas"),
                _ => return self.fail(at, "unknown property of a dependency; write `virtuals=…` or `deptypes=…`"),
            }
        }
    }
}

/// Fills an empty slot; `false` if it was taken.
fn set(slot: &mut Option<Box<str>>, value: &str) -> bool {
    let fresh = slot.is_none();
    *slot = Some(value.into());
    fresh
}

/// Splits a list of flags. A word without a dash is the value of the flag before it.
fn compiler_flags(text: &str) -> Vec<Box<str>> {
    let mut flags: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match flags.last_mut() {
            Some(flag) if !word.starts_with('-') => flag.extend([" ", word]),
            _ => flags.push(word.to_owned()),
        }
    }
    flags.into_iter().map(Into::into).collect()
}
