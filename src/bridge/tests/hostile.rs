//! Names of strangers, and the refspecs that are made of them.

use proptest::prelude::*;

use super::*;

fn name_of(head_ref: &str) -> BranchName {
    names::pr_branch(PrNumber(12), head_ref).unwrap()
}

#[test]
fn case_E04_slashes_are_kept_and_written_as_one_part_of_an_url() {
    let name = name_of("feature/a/b");
    assert_eq!((name.as_str(), name.in_url().as_str()), ("pr12_feature/a/b", "pr12_feature%2Fa%2Fb"));
}

#[test]
fn case_E05_the_bytes_of_any_script_are_kept() {
    for (head_ref, in_url) in
        [("föö", "pr12_f%C3%B6%C3%B6"), ("🚀-x", "pr12_%F0%9F%9A%80-x"), ("修正", "pr12_%E4%BF%AE%E6%AD%A3")]
    {
        assert_eq!(
            (name_of(head_ref).as_str(), name_of(head_ref).in_url().as_str()),
            (format!("pr12_{head_ref}").as_str(), in_url)
        );
    }
}

#[test]
fn case_E06_valid_names_are_harmless_whatever_they_look_like() {
    for (head_ref, in_url) in [
        ("-f", "pr12_-f"),
        ("--upload-pack=x", "pr12_--upload-pack%3Dx"),
        ("$(id)", "pr12_%24%28id%29"),
        (";rm", "pr12_%3Brm"),
        ("%2F", "pr12_%252F"),
        ("a+b", "pr12_a%2Bb"),
        ("a#b", "pr12_a%23b"),
        ("a&b", "pr12_a%26b"),
    ] {
        let one = decided(pr(12, head_ref));
        let full = format!("refs/heads/pr12_{head_ref}");
        assert_eq!(one.update.as_ref().unwrap().refspec(), format!("{full}:{full}"));
        assert_eq!(one.branch.unwrap().in_url(), in_url);
    }
}

#[test]
fn case_E07_impossible_names_are_refused_one_by_one() {
    for bad in ["a..b", "a b", "a@{1}", "a.lock", "a\u{7}b", "", "a:refs/heads/develop", "/x", ".x"] {
        let mut input = pr(1, "x");
        input.pr.head_ref = bad.into();
        let (output, _) = answer(&mut pass(vec![input, pr(2, "y")]));
        assert_eq!((output.prs[0].verdict(), output.prs[0].reason.word()), (Verdict::Refuse, "bad_name"), "{bad:?}");
        assert_eq!((&output.prs[0].branch, &output.prs[0].status), (&None, &None));
        assert_eq!(refspecs(&output), ["refs/heads/pr2_y:refs/heads/pr2_y"]);
    }
}

proptest! {
    /// Whatever GitHub tells, a refspec has two equal halves below `refs/heads/pr12_`, and git's special characters in neither.
    #[test]
    fn no_name_leaves_its_branch(head_ref in "[ -~föö\u{1b}\u{0}]{0,40}") {
        let mut input = pr(12, "x");
        input.pr.head_ref = head_ref.as_str().into();
        let (output, _) = answer(&mut pass(vec![input]));
        for refspec in refspecs(&output) {
            let (source, target) = refspec.split_once(':').unwrap();
            prop_assert_eq!(source, target);
            prop_assert_eq!(source, format!("refs/heads/pr12_{head_ref}"));
            prop_assert!(!source.contains(['*', '^', '~', '?', '[', '\\', ' ', ':']));
        }
    }
}
