use super::*;

/// What a follower says, one thing at a time.
struct Heard {
    updates: mpsc::Receiver<Update>,
    state: Option<State>,
    task: tokio::task::JoinHandle<()>,
}

impl Heard {
    fn of(cluster: &Cluster, kind: Kind) -> Self {
        let (sender, updates) = mpsc::channel(8);
        let cluster = cluster.clone();
        let task = tokio::spawn(async move { cluster.follow(kind, sender).await });
        Self { updates, state: None, task }
    }

    async fn next(&mut self) -> Update {
        timeout(Duration::from_secs(20), self.updates.recv()).await.expect("nothing was said").unwrap()
    }

    /// The next change; states on the way are kept.
    async fn change(&mut self) -> Change {
        loop {
            match self.next().await {
                Update::Change(change) => return change,
                Update::State(state) => self.state = Some(state),
            }
        }
    }

    /// The next state for which something holds; there must be no change on the way.
    async fn state(&mut self, holds: impl Fn(&State) -> bool) -> State {
        loop {
            match self.next().await {
                Update::State(state) if holds(&state) => return state,
                Update::State(_) => {}
                Update::Change(change) => panic!("{change:?}"),
            }
        }
    }
}

fn applied(change: Change) -> (String, String) {
    match change {
        Change::Applied(object) => (object.id.name, object.version),
        other => panic!("{other:?}"),
    }
}

fn reset(change: Change) -> Vec<String> {
    match change {
        Change::Reset(objects) => objects.into_iter().map(|object| object.id.name).collect(),
        other => panic!("{other:?}"),
    }
}

fn is_live(state: &State) -> bool {
    matches!(state.phase, Phase::Live { .. })
}

fn is_stale(state: &State) -> bool {
    matches!(state.phase, Phase::Stale { .. })
}

fn from(request: &str) -> &str {
    let line = request.lines().next().unwrap();
    line.split("resourceVersion=").nth(1).unwrap().split('&').next().unwrap()
}

fn list() -> Reply {
    ok(&page("100", "", &[node("a", "ua", "1"), node("b", "ub", "2")]))
}

#[tokio::test]
async fn a_recorded_watch_is_told_as_it_was() {
    let (feed, watch) = Feed::new();
    let server = play(
        vec![ok(&serde_json::from_str::<Value>(include_str!("../testdata/pods-limit2.json"))
            .map(|mut page| {
                page["metadata"]["continue"] = "".into();
                page
            })
            .unwrap())],
        vec![watch],
    )
    .await;
    let kind = Kind::Pods { namespace: "pipeline".to_owned(), labels: None };
    let mut heard = Heard::of(&cluster(&server).await, kind);
    assert_eq!(reset(heard.change().await).len(), 2);
    let live = heard.state(is_live).await;
    assert_eq!((live.objects, live.restarts), (2, Restarts::default()));
    // In pieces that end anywhere.
    let text = include_str!("../testdata/pods.watch.jsonl");
    for piece in text.as_bytes().chunks(777) {
        feed.say(std::str::from_utf8(piece).unwrap());
    }
    let (name, version) = applied(heard.change().await);
    assert_eq!((&*name, &*version), ("runner-t1aa0bb1-project-57-concurrent-206-19c008b7", "474"));
    let Change::Deleted { id, last: Some(last) } = heard.change().await else { panic!() };
    assert_eq!((&*id.uid, &*last.version), ("4bc813e9-f44a-4d52-947f-7b95b90b87c7", "475"));
    heard.state(|state| state.objects == 1).await;
    // It goes on from the bookmark, and nobody hears of it.
    feed.close();
    let state = heard.state(|state| state.restarts.closed == 1).await;
    assert!(is_live(&state));
    heard.state(is_live).await;
    let seen = server.seen();
    assert_eq!((seen.len(), from(&seen[1]), from(&seen[2])), (3, "473", "475"));
    assert!(seen[1].contains("&allowWatchBookmarks=true&timeoutSeconds="), "{}", seen[1]);
    let seconds: u64 = seen[1].split("timeoutSeconds=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((290..=319).contains(&seconds), "{seconds}");
    assert!(seen.iter().all(|request| request.starts_with("GET ")));
}

#[tokio::test]
async fn expired_in_the_stream_or_as_an_answer_lists_everything_again() {
    let (feed, watch) = Feed::new();
    let again = ok(&page("200", "", &[node("b", "ub", "2"), node("c", "uc", "3")]));
    let third = ok(&page("300", "", &[node("c", "uc", "3")]));
    let server = play(vec![list(), again, third], vec![watch, no(410, "too old")]).await;
    let mut heard = Heard::of(&cluster(&server).await, Kind::Nodes);
    assert_eq!(reset(heard.change().await), ["a", "b"]);
    let (_, recorded) = include_str!("../testdata/watch-too-old.410.http.txt")
        .split_once("\n\n")
        .or_else(|| include_str!("../testdata/watch-too-old.410.http.txt").split_once("\r\n\r\n"))
        .unwrap();
    feed.say(&format!("{}\n", recorded.trim()));
    // Nothing is taken away before the next list is there.
    assert_eq!(reset(heard.change().await), ["b", "c"]);
    assert_eq!(heard.state.as_ref().unwrap().restarts, Restarts { expired: 1, ..Restarts::default() });
    assert_eq!(reset(heard.change().await), ["c"]);
    let state = heard.state(|state| is_live(state) && state.objects == 1).await;
    assert_eq!(state.restarts, Restarts { expired: 2, ..Restarts::default() });
}

#[tokio::test]
async fn a_broken_line_is_forgotten_and_the_watch_goes_on_where_it_was() {
    let (feed, watch) = Feed::new();
    let (next, second) = Feed::new();
    let server = play(vec![list()], vec![watch, second]).await;
    let mut heard = Heard::of(&cluster(&server).await, Kind::Nodes);
    heard.change().await;
    heard.state(is_live).await;
    let changed = event("MODIFIED", &node("a", "ua", "101"));
    let half = event("MODIFIED", &node("b", "ub", "102"));
    feed.say(&format!("{changed}{}", &half[..half.len() / 2]));
    assert_eq!(applied(heard.change().await), ("a".to_owned(), "101".to_owned()));
    drop(feed);
    let stale = heard.state(is_stale).await;
    let Phase::Stale { fault, .. } = &stale.phase else { panic!() };
    assert!(fault.kind == FaultKind::Unreachable && fault.detail.contains("broke off"), "{fault:?}");
    assert_eq!((stale.objects, stale.restarts.error), (2, 1));
    heard.state(is_live).await;
    // The server tells again what it told before; only what is new is passed on.
    next.say(&format!("{changed}{half}"));
    assert_eq!(applied(heard.change().await), ("b".to_owned(), "102".to_owned()));
    let seen = server.seen();
    assert_eq!((seen.len(), from(&seen[2])), (3, "101"));
}

#[tokio::test]
async fn an_end_in_the_middle_of_a_line_is_no_end() {
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let cut = Reply::Now(format!("{head}{{\"type\":\"MODI").into_bytes());
    let server = play(vec![list()], vec![cut]).await;
    let mut heard = Heard::of(&cluster(&server).await, Kind::Nodes);
    heard.change().await;
    let stale = heard.state(is_stale).await;
    let Phase::Stale { fault, .. } = stale.phase else { panic!() };
    assert_eq!(fault.detail, "the stream ended in the middle of a line");
    heard.state(is_live).await;
}

#[tokio::test]
async fn what_cannot_be_read_lists_everything_again() {
    for (line, said) in [
        ("<html>\n".to_owned(), "a line that is no event"),
        (event("MOVED", &node("a", "ua", "3")), "an event of the type `MOVED`"),
        (event("ADDED", &json!({"metadata": {}})), "lacks its name"),
        (event("ADDED", &json!(7)), "no metadata"),
        (event("BOOKMARK", &json!({"metadata": {}})), "a bookmark without resourceVersion"),
        (event("ERROR", &json!({"code": 500, "message": "etcd is away"})), "HTTP 500, etcd is away"),
        (event("ERROR", &json!({"message": "odd"})), "HTTP 500, odd"),
        (event("ERROR", &json!("odd")), "an error that says nothing"),
        ("x".repeat(3000), "a line that is longer than is read"),
    ] {
        let (feed, watch) = Feed::new();
        let server = play(vec![list(), ok(&page("200", "", &[]))], vec![watch]).await;
        let cluster = cluster_with(&server.url, "{}", |settings| settings.largest = 2000).await.unwrap();
        let mut heard = Heard::of(&cluster, Kind::Nodes);
        heard.change().await;
        feed.say(&line);
        assert_eq!(reset(heard.change().await), [""; 0], "{line}");
        let Phase::Stale { fault, .. } = &heard.state.as_ref().unwrap().phase else { panic!("{line}") };
        assert!(fault.detail.contains(said), "{fault}");
        assert_eq!(heard.state(is_live).await.restarts.error, 1);
    }
}

#[tokio::test]
async fn a_missing_right_is_named_and_looked_for_again() {
    let denied = no(403, "nodes is forbidden: User \"x\" cannot list resource \"nodes\"");
    let server = play(vec![denied.clone(), denied, list()], vec![]).await;
    let mut heard = Heard::of(&cluster(&server).await, Kind::Nodes);
    let state = heard.state(|state| matches!(state.phase, Phase::Denied { .. })).await;
    let Phase::Denied { right, fault, .. } = state.phase else { panic!() };
    assert_eq!((&*right, &fault.kind), ("list and watch nodes", &FaultKind::Forbidden));
    assert!(fault.detail.contains("cannot list resource"), "{fault}");
    assert_eq!(state.heard, None);
    assert_eq!(reset(heard.change().await), ["a", "b"]);
    heard.state(is_live).await;
    // A right that goes while it is watched: what is known stays.
    let (feed, watch) = Feed::new();
    let server = play(vec![list()], vec![watch, no(401, "Unauthorized")]).await;
    let mut heard = Heard::of(&cluster(&server).await, Kind::Nodes);
    heard.change().await;
    feed.close();
    let state = heard.state(|state| matches!(state.phase, Phase::Denied { .. })).await;
    assert_eq!(state.objects, 2);
}

#[tokio::test]
async fn a_cluster_without_karpenter_is_told_from_one_that_fails() {
    let absent = recorded(include_str!("../testdata/metrics-api-absent.404.http.txt"));
    let server = play(vec![absent.clone(), absent.clone(), list()], vec![]).await;
    let mut heard = Heard::of(&cluster(&server).await, Kind::NodePools);
    heard.state(|state| matches!(state.phase, Phase::Absent { .. })).await;
    assert_eq!(reset(heard.change().await), ["a", "b"], "it was installed meanwhile");
    assert!(server.seen()[0].starts_with("GET /apis/karpenter.sh/v1/nodepools?limit=500 HTTP/1.1"));
    let server = play(vec![absent], vec![]).await;
    let mut heard = Heard::of(&cluster(&server).await, Kind::Nodes);
    let Phase::Stale { fault, .. } = heard.state(is_stale).await.phase else { panic!() };
    assert_eq!(fault.kind, FaultKind::NotFound);
}

#[tokio::test]
async fn a_server_that_fails_is_asked_again_until_it_answers() {
    let server = play(vec![no(500, "a"), no(503, "b"), list()], vec![no(504, "c")]).await;
    let mut heard = Heard::of(&cluster(&server).await, Kind::Nodes);
    let first = heard.state(is_stale).await;
    let second = heard.state(is_stale).await;
    let since = |state: &State| if let Phase::Stale { since, .. } = state.phase { since } else { panic!() };
    assert_eq!(since(&first), since(&second), "it has been stale since the first");
    assert_eq!(reset(heard.change().await), ["a", "b"]);
    let broken = heard.state(is_stale).await;
    assert!(broken.restarts.error == 1 && broken.heard.is_some());
    heard.state(is_live).await;
    assert_eq!(from(server.seen().last().unwrap()), "100", "it is not listed again");
}

#[tokio::test]
async fn a_watch_that_falls_silent_is_opened_again() {
    let (feed, watch) = Feed::new();
    let server = play(vec![list()], vec![watch]).await;
    let change = |settings: &mut Settings| settings.silence = Duration::from_millis(50);
    let cluster = cluster_with(&server.url, "{}", change).await.unwrap();
    let mut heard = Heard::of(&cluster, Kind::Nodes);
    heard.change().await;
    // Without bookmarks, silence says nothing.
    heard.state(is_live).await;
    assert!(timeout(Duration::from_millis(300), heard.updates.recv()).await.is_err());
    feed.say(&bookmark("150"));
    let Phase::Stale { fault, .. } = heard.state(is_stale).await.phase else { panic!() };
    assert_eq!((fault.kind, &*fault.detail), (FaultKind::Timeout, "the stream fell silent for 0.05 s"));
    heard.state(is_live).await;
    assert_eq!(from(server.seen().last().unwrap()), "150");
}

#[tokio::test]
async fn a_name_that_returns_is_another_object() {
    let (feed, watch) = Feed::new();
    let server = play(vec![list()], vec![watch]).await;
    let mut heard = Heard::of(&cluster(&server).await, Kind::Nodes);
    heard.change().await;
    feed.say(&event("ADDED", &node("a", "ua2", "101")));
    let Change::Deleted { id, last: None } = heard.change().await else { panic!() };
    assert_eq!((&*id.name, &*id.uid), ("a", "ua"));
    assert_eq!(applied(heard.change().await), ("a".to_owned(), "101".to_owned()));
}

#[tokio::test]
async fn servers_that_hang_up_at_once_are_not_run_over() {
    let empty = Reply::Now(http(200, "", ""));
    let server = play(vec![list()], vec![empty; 2000]).await;
    let slowly = |settings: &mut Settings| {
        (settings.backoff, settings.backoff_most) = (Duration::from_millis(50), Duration::from_secs(1));
    };
    let cluster = cluster_with(&server.url, "{}", slowly).await.unwrap();
    let mut heard = Heard::of(&cluster, Kind::Nodes);
    heard.change().await;
    tokio::time::timeout(Duration::from_millis(700), async { while heard.updates.recv().await.is_some() {} })
        .await
        .unwrap_err();
    assert!((3..60).contains(&server.seen().len()), "{}", server.seen().len());
}

#[tokio::test]
async fn it_ends_when_nobody_listens() {
    for watches in [vec![], vec![no(500, "x"); 50]] {
        let server = play(vec![list()], watches).await;
        let mut heard = Heard::of(&cluster(&server).await, Kind::Nodes);
        heard.change().await;
        drop(heard.updates);
        timeout(Duration::from_secs(20), heard.task).await.expect("it goes on").unwrap();
    }
}
