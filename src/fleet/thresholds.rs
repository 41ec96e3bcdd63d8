//! Every number that the judgements of this room go by, in one table with its default. Configuration overrides them by name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::Pod;
use super::runner::class_of;

/// How a number is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    /// Between 0 and 1.
    Share,
    Count,
    /// How many times as much.
    Times,
}

/// A value that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ThresholdError {
    #[error("there is no threshold `{0}`")]
    Unknown(String),
    #[error("threshold `{0}` takes {1}")]
    Wrong(&'static str, &'static str),
}

macro_rules! knobs {
    ($( $knob:ident = $word:literal, $default:literal $unit:ident, $what:literal; )*) => {
        /// One number that something is judged by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Knob { $( #[doc = $what] $knob ),* }

        impl Knob {
            /// Every knob.
            pub const ALL: &[Self] = &[$(Self::$knob),*];

            /// Its name in configuration.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$knob => $word),* }
            }

            pub const fn unit(self) -> Unit {
                match self { $(Self::$knob => Unit::$unit),* }
            }

            pub const fn default(self) -> f64 {
                match self { $(Self::$knob => $default),* }
            }

            /// What it decides.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$knob => $what),* }
            }
        }
    };
}

knobs! {
    PollTimeout = "poll_timeout", 600.0 Seconds, "How long a pod may be pending before the runner gives up.";
    PollTimeoutWindows = "poll_timeout_windows", 1800.0 Seconds, "The same for pods that ask for a Windows node.";
    NearDeadline = "near_deadline", 120.0 Seconds, "A pending pod this near to its poll timeout is worth a word.";
    JobEvidence = "job_evidence", 600.0 Seconds, "A runner that ended a job no longer ago is alive.";
    ContactSlack = "contact_slack", 3300.0 Seconds, "How late contacted_at may be written while the runner lives.";
    ContactDead = "contact_dead", 7200.0 Seconds, "A runner that contacted GitLab longer ago is silent.";
    Saturated = "saturated", 0.95 Share, "The busy part of a class's slots from which it is saturated.";
    SaturatedWait = "saturated_wait", 900.0 Seconds, "And how long the oldest job has waited by then.";
    OnPremSilent = "on_prem_silent", 7200.0 Seconds, "How long an on-premises runner may end no job while jobs wait for it.";
    LaunchFailures = "launch_failures", 10.0 Count, "Launch failures in 15 min of one zone and reason.";
    SpotReclaims = "spot_reclaims", 10.0 Count, "Spot interruptions in 15 min.";
    PoolNearLimit = "pool_near_limit", 0.9 Share, "The used part of a pool's limit from which it is near it.";
    CertificatePending = "certificate_pending", 300.0 Seconds, "The age from which a node should have its certificate.";
    InfraShare = "infra_share", 0.1 Share, "The share of infrastructure failures among the jobs that ended in an hour.";
    InfraFailures = "infra_failures", 20.0 Count, "And how many there are at least.";
    StaleIntervals = "stale_intervals", 3.0 Times, "Intervals without a good answer after which a source is stale.";
    StuckFor = "stuck_for", 300.0 Seconds, "How long a pod does nothing before it is stuck.";
    StuckWindow = "stuck_window", 180.0 Seconds, "The stretch over which doing nothing is measured.";
    OutlierJobs = "outlier_jobs", 10.0 Count, "Fewer jobs show no outlier.";
    OutlierTimes = "outlier_times", 3.0 Times, "How many times the median of its class an outlier fails.";
    OutlierChance = "outlier_chance", 0.01 Share, "The chance at which one healthy class shows an outlier all the same.";
    FewestStarts = "fewest_starts", 5.0 Count, "Fewer starts in 15 min forecast nothing.";
}

macro_rules! alerts {
    ($( $(#[$doc:meta])* $alert:ident, $hold:literal, $severity:ident; )*) => {
        /// Our own alerts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Alert { $( $(#[$doc])* $alert ),* }

        impl Alert {
            /// Every alert.
            pub const ALL: &[Self] = &[$(Self::$alert),*];

            /// Its name.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$alert => stringify!($alert)),* }
            }

            pub const fn severity(self) -> AlertSeverity {
                match self { $(Self::$alert => AlertSeverity::$severity),* }
            }

            /// How long it has to hold before it fires, unless configured.
            pub const fn default_hold(self) -> Duration {
                match self { $(Self::$alert => Duration::from_secs($hold)),* }
            }
        }
    };
}

/// How loud an alert is, the loudest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertSeverity {
    Critical,
    Warning,
    Info,
}

impl AlertSeverity {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

alerts! {
    /// Jobs wait, and no online, unpaused runner has their tags.
    RunnerClassUnavailable, 300, Critical;
    /// A class has no free slots and its oldest job has waited long.
    RunnerClassSaturated, 600, Warning;
    /// Jobs wait for an on-premises runner that gives no sign of life.
    RunnerOnPremSilent, 600, Warning;
    /// The runner will give a pending pod up soon.
    PodPendingDeadline, 0, Warning;
    /// A pending pod asks for more than any machine has.
    PodNeverFits, 0, Critical;
    /// Machines of a zone cannot be had.
    SpotCapacityMissing, 300, Warning;
    /// The cloud takes many machines back.
    SpotReclaimBurst, 0, Warning;
    /// A pool is nearly used up.
    NodePoolNearLimit, 600, Warning;
    /// Karpenter does not see the cluster as it is.
    KarpenterUnsynced, 600, Critical;
    /// A node should long have its certificate.
    CertificatePendingTaint, 0, Warning;
    /// A build was killed for want of memory; one finding per package.
    JobOOMKilled, 0, Info;
    /// A pod does nothing.
    PodStuck, 300, Warning;
    /// Too many jobs fail for reasons of infrastructure.
    InfraFailureRate, 600, Critical;
    /// A source has not answered for too long.
    SourceStale, 0, Warning;
}

/// The numbers in force.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thresholds {
    values: BTreeMap<Knob, f64>,
    holds: BTreeMap<Alert, Duration>,
    poll_timeouts: BTreeMap<Arc<str>, Duration>,
}

impl Thresholds {
    pub fn get(&self, knob: Knob) -> f64 {
        self.values.get(&knob).copied().unwrap_or(knob.default())
    }

    /// A threshold as a length of time.
    pub fn time(&self, knob: Knob) -> Duration {
        // `set` lets nothing pass that is no length of time.
        Duration::try_from_secs_f64(self.get(knob)).unwrap_or(Duration::MAX)
    }

    /// How long an alert has to hold before it fires.
    pub fn hold(&self, alert: Alert) -> Duration {
        // What is stuck is stuck since its rule says so; the rule waits itself.
        self.holds.get(&alert).copied().unwrap_or(if alert == Alert::PodStuck {
            Duration::ZERO
        } else {
            alert.default_hold()
        })
    }

    /// Overrides a value: a knob by its word, or an alert's hold by `<alert>.for`, in seconds.
    pub fn set(&mut self, word: &str, value: f64) -> Result<(), ThresholdError> {
        let is_time = |value: f64| value.is_finite() && (0.0..=f64::from(u32::MAX)).contains(&value);
        if let Some(alert) =
            word.strip_suffix(".for").and_then(|name| Alert::ALL.iter().find(|alert| alert.word() == name))
        {
            if !is_time(value) {
                return Err(ThresholdError::Wrong(alert.word(), "seconds"));
            }
            self.holds.insert(*alert, Duration::from_secs_f64(value));
            return Ok(());
        }
        let known = Knob::ALL.iter().copied().find(|knob| knob.word() == word);
        let Some(knob) = known else { return Err(ThresholdError::Unknown(word.chars().take(60).collect())) };
        let (fits, what) = match knob.unit() {
            Unit::Seconds => (is_time(value), "seconds, not negative"),
            Unit::Share => ((0.0..=1.0).contains(&value), "a part between 0 and 1"),
            Unit::Count | Unit::Times => (value.is_finite() && value >= 0.0, "a number, not negative"),
        };
        if !fits {
            return Err(ThresholdError::Wrong(knob.word(), what));
        }
        self.values.insert(knob, value);
        Ok(())
    }

    /// Sets the poll timeout of one runner class.
    pub fn set_poll_timeout(&mut self, class: &str, timeout: Duration) {
        self.poll_timeouts.insert(class.into(), timeout);
    }

    /// How long this pod may be pending: as configured for its class, else by the system that it asks for.
    pub fn poll_timeout(&self, pod: &Pod) -> Duration {
        let class = pod.says.runner.as_ref().map(|runner| class_of(runner));
        let configured = class.and_then(|class| self.poll_timeouts.get(&class));
        let by_system = || {
            let is_windows = pod.wants.selects("kubernetes.io/os", "windows");
            self.time(if is_windows { Knob::PollTimeoutWindows } else { Knob::PollTimeout })
        };
        configured.copied().unwrap_or_else(by_system)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_one_that_could_be_set() {
        let mut thresholds = Thresholds::default();
        for knob in Knob::ALL {
            thresholds.set(knob.word(), knob.default()).unwrap_or_else(|e| panic!("{e}"));
            assert!((thresholds.get(*knob) - knob.default()).abs() < f64::EPSILON && !knob.what().is_empty());
        }
    }

    #[test]
    fn holds_are_those_of_the_table() {
        let table = Thresholds::default();
        for (alert, seconds, severity) in [
            (Alert::RunnerClassUnavailable, 300, "critical"),
            (Alert::RunnerClassSaturated, 600, "warning"),
            (Alert::RunnerOnPremSilent, 600, "warning"),
            (Alert::PodPendingDeadline, 0, "warning"),
            (Alert::PodNeverFits, 0, "critical"),
            (Alert::SpotCapacityMissing, 300, "warning"),
            (Alert::SpotReclaimBurst, 0, "warning"),
            (Alert::NodePoolNearLimit, 600, "warning"),
            (Alert::KarpenterUnsynced, 600, "critical"),
            (Alert::CertificatePendingTaint, 0, "warning"),
            (Alert::JobOOMKilled, 0, "info"),
            (Alert::PodStuck, 0, "warning"),
            (Alert::InfraFailureRate, 600, "critical"),
            (Alert::SourceStale, 0, "warning"),
        ] {
            assert_eq!((table.hold(alert).as_secs(), alert.severity().word()), (seconds, severity), "{}", alert.word());
        }
        assert_eq!(Alert::PodStuck.default_hold(), table.time(Knob::StuckFor), "the rule waits in its place");
    }

    #[test]
    fn what_cannot_be_taken_is_refused_by_name() {
        let mut thresholds = Thresholds::default();
        for (word, value) in [
            ("saturated", 1.5),
            ("saturated", f64::NAN),
            ("poll_timeout", -1.0),
            ("poll_timeout", 1e300),
            ("infra_failures", f64::INFINITY),
        ] {
            let told = thresholds.set(word, value).unwrap_err().to_string();
            assert!(told.starts_with(&format!("threshold `{word}` takes")), "{told}");
        }
        assert_eq!(
            thresholds.set("pole_timeout", 1.0).unwrap_err().to_string(),
            "there is no threshold `pole_timeout`"
        );
        assert_eq!(thresholds.set("Nothing.for", 1.0), Err(ThresholdError::Unknown("Nothing.for".to_owned())));
        assert!(thresholds.set("PodNeverFits.for", f64::NAN).is_err());
        assert_eq!(thresholds, Thresholds::default());
        thresholds.set("PodNeverFits.for", 30.0).unwrap();
        assert_eq!(thresholds.hold(Alert::PodNeverFits).as_secs(), 30);
    }
}
