//! Landmarks: lines that look like the cause of a failure, and which of them most likely is.
//!
//! A short built-in list, good enough to open a log at the right place before it was judged; the line that the taxonomy names then comes first.
//! It never claims a cause for a job that succeeded.

use std::collections::VecDeque;

use memchr::memmem;

/// How many landmarks of one kind are kept from the beginning of the log, and how many from its end.
const KEPT: usize = 64;

/// What a landmark is about, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LandmarkKind {
    /// A program told its exit code.
    Exit,
    /// The runner's last word.
    JobFailed,
    /// Make or ninja gave up.
    Make,
    /// Spack repeats what it found in a build log.
    BuildReport,
    /// `==> Error:` of Spack.
    Spack,
    /// An exception or its traceback.
    Exception,
    /// The runner itself complains.
    Runner,
    /// A tool is missing, denied or misused.
    Tool,
    /// A compiler, linker or configure step.
    Compiler,
    /// Downloads, registries, servers.
    Network,
    /// A program crashed.
    Crash,
    /// Disk, memory, time, log size or node ran out.
    Resource,
    /// The evidence of the verdict.
    Verdict,
}

const KINDS: usize = LandmarkKind::Verdict as usize + 1;

impl LandmarkKind {
    /// How much a line of this kind explains, before its place in the log is weighed.
    const fn weight(self) -> u64 {
        match self {
            Self::Exit => 20,
            Self::JobFailed => 30,
            Self::Make => 45,
            Self::BuildReport => 50,
            Self::Spack => 60,
            Self::Exception => 65,
            Self::Runner => 68,
            Self::Tool => 70,
            Self::Compiler => 75,
            Self::Network => 80,
            Self::Crash => 90,
            Self::Resource => 95,
            Self::Verdict => 100,
        }
    }

    /// Worth a stop when walking from landmark to landmark; the others only repeat what stands near them.
    pub const fn is_stop(self) -> bool {
        self.weight() >= Self::Spack.weight()
    }
}

/// A line that may be the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Landmark {
    pub line: u64,
    pub kind: LandmarkKind,
}

enum Place {
    Start,
    Anywhere,
}

/// The list: the first rule that fits decides.
const RULES: &[(Place, &str, LandmarkKind)] = {
    use LandmarkKind::{
        BuildReport, Compiler, Crash, Exception, Exit, JobFailed, Make, Network, Resource, Runner, Spack, Tool,
    };
    use Place::{Anywhere, Start};
    &[
        (Anywhere, "No space left on device", Resource),
        (Anywhere, "Disk quota exceeded", Resource),
        (Anywhere, "Killed signal terminated", Resource),
        (Anywhere, "OOMKilled", Resource),
        (Anywhere, "Out of memory", Resource),
        (Anywhere, "Cannot allocate memory", Resource),
        (Anywhere, " Killed ", Resource),
        (Anywhere, "node shutdown", Resource),
        (Anywhere, "low on resource", Resource),
        (Anywhere, "log exceeded limit", Resource),
        (Anywhere, "aborted: terminated", Resource),
        (Anywhere, "Illegal instruction", Crash),
        (Anywhere, "Segmentation fault", Crash),
        (Anywhere, "internal compiler error", Crash),
        (Anywhere, "curl: (", Network),
        (Anywhere, "Could not resolve host", Network),
        (Anywhere, "no such host", Network),
        (Anywhere, "onnection reset", Network),
        (Anywhere, "onnection refused", Network),
        (Anywhere, "imed out", Network),
        (Anywhere, "handshake timeout", Network),
        (Anywhere, "RemoteDisconnected", Network),
        (Anywhere, "unable to access", Network),
        (Anywhere, "RPC failed", Network),
        (Anywhere, "HTTP Error ", Network),
        (Anywhere, "All fetchers failed", Network),
        (Start, "ERROR: Job failed", JobFailed),
        (Start, "==> Error:", Spack),
        (Anywhere, "found in build log:", BuildReport),
        (Anywhere, "fatal error:", Compiler),
        (Anywhere, " error: ", Compiler),
        (Anywhere, "undefined reference", Compiler),
        (Anywhere, "cannot find -l", Compiler),
        (Start, "CMake Error", Compiler),
        (Start, "error:", Compiler),
        (Anywhere, "command not found", Tool),
        (Anywhere, "ermission denied", Tool),
        (Anywhere, "AccessDenied", Tool),
        (Start, "fatal: ", Tool),
        (Start, "gpg: ", Tool),
        (Start, "ERROR: ", Runner),
        (Start, "FATAL: ", Runner),
        (Start, "Traceback (most recent call", Exception),
        (Anywhere, "Error: ", Exception),
        (Anywhere, ": *** ", Make),
        (Anywhere, "ninja: build stopped", Make),
        (Anywhere, "exited with status", Exit),
        (Anywhere, "exit code", Exit),
    ]
};
const SUCCEEDED: &str = "Job succeeded";
const EPILOGUE: &str = "Running after_script";

/// The landmarks of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landmarks {
    kinds: [Kept; KINDS],
    /// The job's script is over there; what follows is clean-up.
    epilogue: Option<u64>,
    succeeded: bool,
    last_line: u64,
    /// Where the verdict's evidence stands.
    verdict: Option<u64>,
}

impl Default for Landmarks {
    fn default() -> Self {
        Self {
            kinds: std::array::from_fn(|_| Kept::default()),
            epilogue: None,
            succeeded: false,
            last_line: 0,
            verdict: None,
        }
    }
}

impl Landmarks {
    /// Literals of which every line of interest contains at least one.
    pub(super) fn needles() -> impl Iterator<Item = &'static str> {
        RULES.iter().map(|(_, needle, _)| *needle).chain([SUCCEEDED, EPILOGUE])
    }

    /// What a line looks like, judged by its shown text alone.
    pub(super) fn classify(plain: &[u8]) -> Option<LandmarkKind> {
        let (_, _, kind) = RULES.iter().find(|(place, needle, _)| match place {
            Place::Start => plain.starts_with(needle.as_bytes()),
            Place::Anywhere => memmem::find(plain, needle.as_bytes()).is_some(),
        })?;
        let excused = *kind < LandmarkKind::Network && memmem::find(plain, b"arning: ").is_some();
        (!excused).then_some(*kind)
    }

    /// Takes note of a line.
    pub(super) fn see(&mut self, line: u64, plain: &[u8]) {
        self.last_line = line;
        if plain.starts_with(SUCCEEDED.as_bytes()) {
            self.succeeded = true;
        } else if plain.starts_with(EPILOGUE.as_bytes()) {
            self.epilogue.get_or_insert(line);
        } else if let Some(kept) = Self::classify(plain).and_then(|kind| self.kinds.get_mut(kind as usize)) {
            kept.push(line);
        }
    }

    /// The verdict's evidence stands on this line.
    pub(super) fn tell(&mut self, line: u64) {
        self.verdict = Some(line);
    }

    /// The line that most likely is the cause: the verdict's; without one, the strongest kind near the place where the script ended, and of equals the first.
    pub fn best(&self) -> Option<Landmark> {
        if let Some(line) = self.verdict {
            return Some(Landmark { line, kind: LandmarkKind::Verdict });
        }
        if self.succeeded {
            return None;
        }
        let end = self.epilogue.or_else(|| self.of(LandmarkKind::JobFailed)?.last()).unwrap_or(self.last_line);
        let score = |mark: &Landmark| {
            let far = match mark.line.abs_diff(end) {
                _ if mark.line > end && mark.kind != LandmarkKind::JobFailed => 40,
                0..=60 => 0,
                61..=600 => 8,
                601..=6_000 => 16,
                _ => 24,
            };
            mark.kind.weight().saturating_sub(far)
        };
        self.kept().max_by_key(|mark| (score(mark), std::cmp::Reverse(mark.line)))
    }

    /// The landmarks worth a stop, by line: strong ones, and the best one however weak it is.
    pub fn stops(&self) -> Vec<Landmark> {
        let mut stops: Vec<_> = self.kept().filter(|mark| mark.kind.is_stop()).chain(self.best()).collect();
        stops.sort_unstable();
        // The verdict's line may be a landmark by itself.
        stops.dedup_by_key(|stop| stop.line);
        stops
    }

    /// How many lines are worth a stop, those included that are not kept.
    pub fn stop_count(&self) -> u64 {
        let strong: u64 = self.kinds.iter().skip(LandmarkKind::Spack as usize).map(|kept| kept.total).sum();
        strong + u64::from(self.best().is_some_and(|best| !best.kind.is_stop()))
    }

    fn of(&self, kind: LandmarkKind) -> Option<&Kept> {
        self.kinds.get(kind as usize)
    }

    fn kept(&self) -> impl Iterator<Item = Landmark> {
        const ALL: [LandmarkKind; KINDS] = {
            use LandmarkKind::{
                BuildReport, Compiler, Crash, Exception, Exit, JobFailed, Make, Network, Resource, Runner, Spack, Tool,
                Verdict,
            };
            [
                Exit,
                JobFailed,
                Make,
                BuildReport,
                Spack,
                Exception,
                Runner,
                Tool,
                Compiler,
                Network,
                Crash,
                Resource,
                Verdict,
            ]
        };
        ALL.into_iter().flat_map(|kind| {
            let lines = self.of(kind).into_iter().flat_map(Kept::lines);
            lines.map(move |line| Landmark { line, kind })
        })
    }
}

/// The first and the last lines of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Kept {
    first: Vec<u64>,
    last: VecDeque<u64>,
    total: u64,
}

impl Kept {
    fn push(&mut self, line: u64) {
        if self.last() == Some(line) {
            return;
        }
        self.total += 1;
        if self.first.len() < KEPT {
            self.first.push(line);
            return;
        }
        if self.last.len() >= KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    fn last(&self) -> Option<u64> {
        self.last.back().or(self.first.last()).copied()
    }

    fn lines(&self) -> impl Iterator<Item = u64> {
        self.first.iter().chain(&self.last).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lines: &[&str]) -> Landmarks {
        let mut landmarks = Landmarks::default();
        for (n, line) in lines.iter().enumerate() {
            landmarks.see(n as u64, line.as_bytes());
        }
        landmarks
    }

    #[test]
    fn the_compilers_word_beats_its_echoes() {
        let marks = seen(&[
            "x.c:3:1: warning: error: in the text of a warning",
            "H5public.h:27:10: fatal error: hwloc.h: No such file or directory",
            "make[2]: *** [src/CMakeFiles/hdf5.dir/build.make:76] Error 1",
            "==> Error: ProcessError: Command exited with status 2",
            "1 error found in build log:",
            "ERROR: Job failed: exit code 1",
        ]);
        assert_eq!(marks.best(), Some(Landmark { line: 1, kind: LandmarkKind::Compiler }));
        assert_eq!(marks.stops().iter().map(|m| m.line).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn far_away_noise_loses_to_what_stands_at_the_end() {
        let mut lines = vec!["curl: (22) The requested URL returned error: 404"];
        lines.resize(1_000, "checking for things... yes");
        lines.extend([
            "a.c:1:1: error: expected ;",
            "Running after_script",
            "bash: jq: command not found",
            "ERROR: Job failed",
        ]);
        assert_eq!(seen(&lines).best(), Some(Landmark { line: 1_000, kind: LandmarkKind::Compiler }));
    }

    #[test]
    fn a_job_that_succeeded_has_no_cause() {
        assert_eq!(seen(&["x.c:1: error: probe", "Job succeeded"]).best(), None);
        assert_eq!(seen(&["nothing here"]).best(), None);
    }

    #[test]
    fn a_flood_of_errors_keeps_its_ends() {
        let marks = seen(&vec!["a.c:1:1: error: again"; 10_000]);
        assert_eq!(marks.stop_count(), 10_000);
        let stops = marks.stops();
        assert_eq!((stops.len(), stops[0].line, stops[127].line), (128, 0, 9_999));
    }

    #[test]
    fn the_list_of_kinds_follows_their_order() {
        let marks = seen(&["a: *** b", "exit code 3", "OOMKilled"]);
        let kinds: Vec<_> = marks.kept().map(|m| m.kind).collect();
        assert_eq!(kinds, [LandmarkKind::Exit, LandmarkKind::Make, LandmarkKind::Resource]);
        assert!(RULES.iter().all(|(_, _, kind)| (*kind as usize) < KINDS));
    }
}
