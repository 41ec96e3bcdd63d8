//! The request budget: so many at once, so many per second, and silence while the server asks for it. Also how long to wait between tries.
//!
//! The client takes a [`Turn`] before every request. The arithmetic is pure (`now` is an argument) so that tests need no time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::settings::Settings;

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
    backoff: Duration,
    window: Mutex<Window>,
    dice: AtomicU64,
}

impl Pace {
    pub fn new(settings: &Settings, seed: u64) -> Self {
        let in_flight = settings.in_flight.max(1);
        Self {
            slots: Arc::new(Semaphore::new(in_flight)),
            in_flight,
            patience: settings.patience,
            backoff: settings.backoff,
            window: Mutex::new(Window::new(settings.per_second)),
            dice: AtomicU64::new(seed),
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
        backoff(self.backoff, tried, self.roll())
    }

    fn window(&self) -> std::sync::MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number in 0..1 (SplitMix64).
    fn roll(&self) -> f64 {
        let mut z = self.dice.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn backoff(first: Duration, tried: u32, roll: f64) -> Duration {
    let ceiling = first.saturating_mul(1 << tried.min(4));
    ceiling.mul_f64(roll.clamp(0.0, 1.0))
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

    #[test]
    fn backoff_grows_is_capped_and_may_be_anything_below() {
        let half = Duration::from_millis(500);
        assert_eq!(backoff(half, 0, 1.0), half);
        assert_eq!(backoff(half, 2, 1.0), Duration::from_secs(2));
        assert_eq!(backoff(half, 30, 1.0), Duration::from_secs(8));
        assert_eq!(backoff(half, 2, 0.0), Duration::ZERO);
        let pace = Pace::new(&settings("http://localhost", None), 7);
        let rolls: Vec<f64> = (0..200).map(|_| pace.roll()).collect();
        assert!(rolls.iter().all(|r| (0.0..1.0).contains(r)));
        assert!((rolls.iter().sum::<f64>() / 200.0 - 0.5).abs() < 0.1);
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
