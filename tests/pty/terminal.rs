//! A terminal with a person before it: starts the program, types, reads the screen. Nothing waits for a fixed time; everything is polled until it
//! holds, or holds for long enough, or its deadline is over.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty, native_pty_system};

/// A slow machine with two cores and much else to do must get there within this.
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// What has come out of the program so far.
struct Output {
    bytes: Vec<u8>,
    screen: vt100::Parser,
}

/// A program on a terminal of its own.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    // Held open: a terminal whose last program ends would forget its settings.
    _slave: Box<dyn SlavePty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    output: Arc<Mutex<Output>>,
    home: PathBuf,
    /// The line discipline before the program started.
    before: String,
}

/// How to start a program.
pub struct Launch {
    program: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    size: (u16, u16),
}

impl Launch {
    /// The console on the practice world.
    pub fn demo() -> Self {
        // What loops do besides is no matter of the terminal's.
        Self::program(env!("CARGO_BIN_EXE_stackhand"))
            .args(&["demo", "--seed", "7", "--jobs", "300", "--loops", "none"])
    }

    pub fn program(program: &str) -> Self {
        let env = [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")];
        Self {
            program: program.to_owned(),
            args: Vec::new(),
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            size: (100, 30),
        }
    }

    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.retain(|(other, _)| other != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn size(self, width: u16, height: u16) -> Self {
        Self { size: (width, height), ..self }
    }

    pub fn start(self) -> Terminal {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let nth = STARTED.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("stackhand-pty-{}-{nth}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let (cols, rows) = self.size;
        let pair = native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(&self.program);
        command.args(&self.args);
        // Nothing of whoever runs the tests: no configuration, no token.
        command.env_clear();
        command.env("PATH", std::env::var("PATH").unwrap_or_default());
        for name in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
            command.env(name, &home);
        }
        for (name, value) in &self.env {
            command.env(name, value);
        }
        command.cwd(&home);
        let before = discipline(&*pair.master);
        let output = Output {
            bytes: Vec::new(),
            screen: vt100::Parser::new(rows.try_into().unwrap(), cols.try_into().unwrap(), 0),
        };
        let output = Arc::new(Mutex::new(output));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let sink = Arc::clone(&output);
        std::thread::spawn(move || {
            let mut piece = vec![0; 65_536];
            while let Ok(length @ 1..) = reader.read(&mut piece) {
                let mut output = sink.lock().unwrap();
                output.bytes.extend_from_slice(&piece[..length]);
                output.screen.process(&piece[..length]);
            }
        });
        let child = pair.slave.spawn_command(command).unwrap();
        let keys = pair.master.take_writer().unwrap();
        Terminal { master: pair.master, _slave: pair.slave, child, keys, output, home, before }
    }
}

/// How the terminal treats lines: echo, signals, raw or not.
fn discipline(master: &(dyn MasterPty + Send)) -> String {
    format!("{:?}", master.get_termios().expect("a pseudo-terminal has settings"))
}

impl Terminal {
    /// The rows of the screen.
    pub fn text(&self) -> String {
        self.output.lock().unwrap().screen.screen().contents()
    }

    /// Everything that was written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.output.lock().unwrap().bytes.clone()
    }

    pub fn written(&self) -> usize {
        self.output.lock().unwrap().bytes.len()
    }

    /// The row under the console's cursor.
    pub fn row(&self) -> String {
        self.text().lines().find(|line| line.contains('▌')).unwrap_or_default().to_owned()
    }

    /// Types, as fast as one can paste.
    pub fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until the screen says so.
    pub fn until(&mut self, what: &str, holds: impl Fn(&str) -> bool) {
        self.wait(what, Duration::ZERO, |terminal| holds(&terminal.text()));
    }

    /// Waits until the screen has said so for that long without a break.
    pub fn stays(&mut self, what: &str, length: Duration, holds: impl Fn(&str) -> bool) {
        self.wait(what, length, |terminal| holds(&terminal.text()));
    }

    pub fn wait(&mut self, what: &str, length: Duration, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        let mut since = None;
        loop {
            let gone = self.child.try_wait().unwrap();
            since = holds(self).then(|| since.unwrap_or_else(Instant::now));
            if since.is_some_and(|since| since.elapsed() >= length) {
                return;
            }
            assert!(gone.is_none(), "the program ended ({gone:?}) while waiting for: {what}\n{}", self.text());
            assert!(begun.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}\n{}", self.text());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits for the end of the program.
    pub fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.drain();
                return status;
            }
            assert!(begun.elapsed() < DEADLINE, "it does not end\n{}", self.text());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// What the program wrote last may still be on its way to the reader.
    fn drain(&self) {
        let mut last = (self.written(), Instant::now());
        while last.1.elapsed() < Duration::from_millis(150) {
            std::thread::sleep(LOOK_EVERY);
            if self.written() != last.0 {
                last = (self.written(), Instant::now());
            }
        }
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    pub fn resize(&self, width: u16, height: u16) {
        self.output.lock().unwrap().screen.screen_mut().set_size(height.try_into().unwrap(), width.try_into().unwrap());
        self.master.resize(PtySize { rows: height, cols: width, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// Whether the line discipline is what it was before the program started.
    pub fn is_as_before(&self) -> bool {
        discipline(&*self.master) == self.before
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.home);
    }
}
