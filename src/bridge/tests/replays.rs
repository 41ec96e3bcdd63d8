//! Passes that were written down.

use super::*;

fn recorded() -> Recording {
    let mut draft = pr(3, "draft");
    draft.pr.is_draft = true;
    let mut input = pass(vec![pr(1, "x"), pushed(pr(2, "y")), draft]);
    input.pipelines = Looked::Found(vec![pipeline(4, "pr2_y", &sha("unknown merge"), Status::Failed)]);
    input.branches = vec![BranchInput {
        name: "release".into(),
        head: sha("release"),
        on_gitlab: Looked::Found(None),
        is_ahead: Looked::NotYet,
        trouble: Some(Trouble::again(None, &sha("release"), "rejected", NOW)),
    }];
    input.tags = vec![TagInput {
        name: "v1.0".into(),
        target: sha("v1.0"),
        on_gitlab: Looked::Found(Some(sha("moved"))),
        trouble: None,
    }];
    input.posted = vec![posted(&sha("z"), status(CommitState::Success, "Pipeline succeeded", Some("https://x")))];
    let (output, _) = answer(&mut input);
    Recording::new("0.1.0", input, output)
}

fn written(recording: &Recording) -> String {
    let mut file = Vec::new();
    recording.write(&mut file).unwrap();
    String::from_utf8(file).unwrap()
}

#[test]
fn a_pass_that_was_written_down_is_decided_alike() {
    let recording = recorded();
    let read = Recording::read(written(&recording).as_bytes()).unwrap();
    assert_eq!(read, recording);
    assert_eq!(read.replay(), []);
}

#[test]
fn what_is_decided_otherwise_is_told() {
    let mut recording = recorded();
    recording.output.prs[0].reason = Reason::Draft;
    recording.output.prs[0].update = None;
    recording.output.pushes.clear();
    recording.output.tags.clear();
    let told: Vec<String> = recording.replay().iter().map(ToString::to_string).collect();
    let (merge, tag) = (merge_of(&sha("x"), &sha("tested")), sha("v1.0"));
    let expected = [
        format!(
            "pr 1: was wait (draft): GitLab CI is disabled for draft PRs, is push (first_push): GitLab has no branch for it; \
             refs/heads/pr1_x to {}, Absent",
            merge.short()
        ),
        format!("push 1: was nothing, is refs/heads/pr1_x to {}", merge.short()),
        format!(
            "refs/tags/v1.0: was nothing, is refuse (tag_moved): it moved from {} to {} on GitHub; nothing is overwritten unless \
             force_tags is on",
            sha("moved").short(),
            tag.short()
        ),
    ];
    assert_eq!(told, expected);
}

#[test]
fn files_that_hold_no_pass_are_refused() {
    let text = written(&recorded());
    let read = |text: &str| Recording::read(text.as_bytes()).unwrap_err();
    assert!(matches!(read(""), RecordingError::Json(_)));
    assert!(matches!(read("{}"), RecordingError::Json(_)));
    assert!(matches!(read(&text[..text.len() - 9]), RecordingError::Json(_)));
    assert!(matches!(read(&text.replace("bridge-pass/1", "bridge-pass/2")), RecordingError::Schema(_)));
    let hostile = text.replace(sha("x").as_str(), "--upload-pack=touch /tmp/x");
    assert!(read(&hostile).to_string().contains("not the full name of a commit"));
    assert!(matches!(read(&text.replace("pr1_x", "pr1..x")), RecordingError::Json(_)));
    let unknown = text.replacen("\"now\":", "\"later\":1,\"now\":", 1);
    assert!(read(&unknown).to_string().contains("later"));
}

/// Takes everything and loses it at the end, as a buffer before a full disk does.
struct Full;

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Err(std::io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn a_recording_that_does_not_reach_the_disk_is_an_error() {
    assert_eq!(recorded().write(Full).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
}
