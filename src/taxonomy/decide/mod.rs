//! From what was found in a log, and what GitLab says about the job, to a verdict.
//!
//! 1. A job that ended well has no cause, whatever its log says.
//! 2. What explains the **end** of the job is weighed ([`weigh`]): matches since the job last went on, in the section that failed, the runner's
//!    last line, and GitLab's facts. Stronger beats weaker; of equals the higher precedence, and then the first one, because what follows a
//!    fatal error are its consequences.
//! 3. What the job went on after, what stands in the epilogue, and what a script said before the runner itself gave up is told beside it.
//! 4. Symptoms count when there is no cause, hints when there is nothing else. Otherwise the failure is unknown, and the line that looks most
//!    like its cause is the evidence ([`unknown`]).

mod ending;
mod unknown;
mod verdict;
mod weigh;

#[cfg(test)]
mod tests;

pub(super) use verdict::decide;
