//! The request budget: so many at once, so many per second, and silence while the server asks for it. Also how long to wait between tries.
//!
//! The client takes a [`Turn`] before every request. The arithmetic is pure (`now` is an argument) so that tests need no time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::settings::Settings;
use crate::adapters::backoff::Backoff;

/// The right to have one request open. Dropping it gives the right back.
pub(super) struct Turn {
    _slot: Option<OwnedSemaphorePermit>,
}

/// The server asked for silence, and for longer than the caller is ready to wait.
pub(super) struct Silenced {
    pub rest: Duration,
}

/// The budget of one client.
pub(super) struct Pace {
    slots: Arc<Semaphore>,
    in_flight: usize,
    patience: Duration,
    backoff: Backoff,
    window: Mutex<Window>,
}

impl Pace {
    pub fn new(settings: &Settings, seed: u64) -> Self {
        let in_flight = settings.in_flight.max(1);
        Self {
            slots: Arc::new(Semaphore::new(in_flight)),
            in_flight,
            patience: settings.patience,
            backoff: Backoff::new(settings.backoff, settings.backoff.saturating_mul(16), seed),
            window: Mutex::new(Window::new(settings.per_second)),
        }
    }

    /// Waits for a free slot and for the budget.
    pub async fn turn(&self) -> Result<Turn, Silenced> {
        // The semaphore is never closed; were it, requests would go on without a slot rather than fail.
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        loop {
            let now = Instant::now();
            let asked = self.window().ask(now);
            match asked {
                Ok(()) => return Ok(Turn { _slot: slot }),
                Err(Wait::Silence(until)) if until.duration_since(now) > self.patience => {
                    return Err(Silenced { rest: until.duration_since(now) });
                }
                Err(Wait::Silence(until) | Wait::Budget(until)) => sleep_until(until).await,
            }
        }
    }

    /// Keeps every request of this client back for so long. A shorter silence never cuts a longer one.
    pub fn silence(&self, length: Duration) {
        let until = Instant::now() + length;
        let mut window = self.window();
        window.silent_until = Some(window.silent_until.map_or(until, |old| old.max(until)));
    }

    /// How many requests are open now.
    pub fn in_flight(&self) -> usize {
        self.in_flight.saturating_sub(self.slots.available_permits())
    }

    /// How long to wait before the next try: full jitter, so that clients which failed together do not come back together.
    pub fn backoff(&self, tried: u32) -> Duration {
        self.backoff.after(tried)
    }

    fn window(&self) -> std::sync::MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Wait {
    Budget(Instant),
    Silence(Instant),
}

/// A sliding window: the n-th last request must lie at least `length` back. Unlike a token bucket it never lets through a burst on top of
/// the rate.
struct Window {
    length: Duration,
    most: usize,
    sent: VecDeque<Instant>,
    silent_until: Option<Instant>,
}

impl Window {
    fn new(per_second: f64) -> Self {
        let rate = if per_second.is_finite() && per_second > 0.0 { per_second.clamp(0.01, 10_000.0) } else { 5.0 };
        let most = rate.ceil();
        Self {
            length: Duration::from_secs_f64(most / rate),
            most: most as usize,
            sent: VecDeque::new(),
            silent_until: None,
        }
    }

    /// Takes a place in the window, or says when to ask again.
    fn ask(&mut self, now: Instant) -> Result<(), Wait> {
        match self.silent_until {
            Some(until) if until > now => return Err(Wait::Silence(until)),
            _ => self.silent_until = None,
        }
        if self.sent.len() >= self.most
            && let Some(&oldest) = self.sent.front()
        {
            if oldest + self.length > now {
                return Err(Wait::Budget(oldest + self.length));
            }
            self.sent.pop_front();
        }
        self.sent.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::settings;
    use super::*;

    #[test]
    fn no_second_ever_sees_more_than_the_rate() {
        let start = Instant::now();
        for (rate, want) in [(5.0, 5), (2.5, 3), (0.5, 1)] {
            let mut window = Window::new(rate);
            let mut sent = Vec::new();
            let mut now = start;
            while sent.len() < 40 {
                match window.ask(now) {
                    Ok(()) => sent.push(now),
                    Err(Wait::Budget(at) | Wait::Silence(at)) => now = at,
                }
            }
            for (i, first) in sent.iter().enumerate() {
                let within =
                    sent.iter().skip(i).take_while(|t| t.duration_since(*first) < Duration::from_secs(1)).count();
                assert!(within <= want, "{within} requests in one second at {rate}/s");
            }
            let average = 39.0 / sent[39].duration_since(sent[0]).as_secs_f64();
            assert!(average >= rate * 0.9, "{average} instead of {rate}: the budget is wasted");
        }
    }

    #[test]
    fn silence_holds_everything_back_and_then_ends() {
        let start = Instant::now();
        let mut window = Window::new(5.0);
        let until = start + Duration::from_secs(3);
        window.silent_until = Some(until);
        assert_eq!(window.ask(start), Err(Wait::Silence(until)));
        assert_eq!(window.ask(until), Ok(()));
    }

    #[tokio::test]
    async fn slots_are_given_back_and_long_silence_is_told_at_once() {
        let mut two = settings("http://localhost", None);
        two.in_flight = 2;
        let pace = Pace::new(&two, 1);
        let (a, b) = (pace.turn().await.ok(), pace.turn().await.ok());
        assert_eq!(pace.in_flight(), 2);
        drop((a, b));
        assert_eq!(pace.in_flight(), 0);
        pace.silence(Duration::from_mins(1));
        pace.silence(Duration::from_secs(1));
        let rest = pace.turn().await.err().map(|s| s.rest).unwrap();
        assert!(rest > Duration::from_secs(50));
        assert_eq!(pace.in_flight(), 0, "a refused turn keeps no slot");
    }
}
