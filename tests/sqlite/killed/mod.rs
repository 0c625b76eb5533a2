//! A process that is killed, again and again: nothing that was acknowledged is lost, nothing is half done, nothing is
//! done twice, and the next process goes on where it stopped.
//!
//! The test runs itself as a child that works through a script on a SQLite file and tells each command when it begins
//! and when it was acknowledged. It kills the child (`SIGKILL`) at a random moment of a random command, opens the
//! file itself, and compares what is there with an undisturbed run of the same script in memory: after a command of
//! one commit it is all there or not at all, after a longer one a part of what it does. The next child sends the
//! command that was in flight once more, under the same key.
//!
//! `STOCKTAKE_TEST_KILLS` tells how often, `STOCKTAKE_SEED` where the random numbers begin. A loss of power is not
//! tested by this: what the process has written, the system still has.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;

use rusqlite::Connection;
use stocktake::memory::MemoryStore;
use stocktake::sqlite::{SqliteStore, rusqlite};
use tempfile::TempDir;

use crate::script::{Phase, Script, Size};
use crate::state::State;

/// How often a plain `cargo test` kills, at least.
const KILLS: u64 = 300;
/// How often whoever makes a file is killed, at least.
const MADE: u64 = 30;
/// How many times as often it kills at most, to meet everything that can be met.
const PATIENCE: u64 = 5;
/// One file in so many has more lines than a chunk.
const LARGE: u64 = 12;
/// How many commands ahead the next kill is at most.
const AHEAD: u64 = 6;
/// The shortest and the longest wait between the beginning of a command and the kill, as powers of two of idle
/// turns: on a slow disk a command takes millions of them.
const SHORTEST: u64 = 8;
const LONGEST: u64 = 23;

/// The file that a child works on.
const FILE: &str = "STOCKTAKE_KILLED_FILE";
/// The first command that it sends.
const FROM: &str = "STOCKTAKE_KILLED_FROM";
/// How many children there were before it.
const LIFE: &str = "STOCKTAKE_KILLED_LIFE";
/// How much there is in the file.
const SIZE: &str = "STOCKTAKE_KILLED_SIZE";

/// Splitmix64: the same sequence for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// Passes some time: short waits as likely as long ones.
    fn dawdle(&mut self) {
        let longest = 1 << (SHORTEST + self.below(LONGEST - SHORTEST + 1));
        for _ in 0..self.below(longest) {
            std::hint::spin_loop();
        }
    }
}

fn number_from(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

/// The undisturbed run.
struct Reference {
    /// What each command told.
    told: Vec<String>,
    /// What was there before the first command and after each.
    states: Vec<State>,
}

impl Reference {
    async fn of(size: Size) -> Self {
        let script = Script::on(Arc::new(MemoryStore::new()), size, 0);
        script.prepare().await;
        let mut states = vec![State::of(&script).await];
        let mut told = Vec::new();
        for number in 0..crate::script::COMMANDS {
            told.push(script.run(number, &|_| {}).await.unwrap());
            states.push(State::of(&script).await);
        }
        Self { told, states }
    }

    fn before(&self, number: u64) -> &State {
        &self.states[usize::try_from(number).unwrap()]
    }

    fn after(&self, number: u64) -> &State {
        &self.states[usize::try_from(number).unwrap() + 1]
    }

    fn told(&self, number: u64) -> &str {
        &self.told[usize::try_from(number).unwrap()]
    }
}

/// What the kills met.
#[derive(Debug, Default)]
struct Met {
    /// Kills while a command ran, by what it did.
    during: BTreeMap<Phase, u64>,
    /// Commands that were done, and their caller never heard.
    unheard: u64,
    /// Commands of several commits, of which some were done.
    half_way: BTreeMap<Phase, u64>,
    /// Commands that left no trace.
    nothing: u64,
    /// Files whose script was worked through.
    finished: u64,
}

impl Met {
    /// Whether so many kills were not vacuous: in the middle of everything, some before the commit, some after it and
    /// before its caller heard, some between the commits of one command.
    fn enough(&self, kills: u64) -> bool {
        let during = |phase| self.during.get(&phase).copied().unwrap_or_default();
        Phase::ALL
            .into_iter()
            .all(|phase| during(phase) >= kills / 50)
            && self.unheard >= kills / 30
            && self.nothing >= kills / 30
            && self.half_way.values().sum::<u64>() >= kills / 30
            && self.finished >= kills / 50
    }
}

/// A child at work.
struct Worker {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

/// What a child tells.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Opens,
    Begins(u64),
    /// A part of a command of many tasks.
    Part(u64),
    Acknowledged(u64, String),
    Ends,
}

impl Said {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.splitn(3, ' ');
        let (what, number) = (words.next()?, words.next());
        let number = number.and_then(|number| number.parse().ok());
        match (what, number) {
            ("opens", None) => Some(Self::Opens),
            ("begins", Some(number)) => Some(Self::Begins(number)),
            ("part", Some(number)) => Some(Self::Part(number)),
            ("acknowledged", Some(number)) => {
                let told = words.next().unwrap_or_default().to_owned();
                Some(Self::Acknowledged(number, told))
            }
            ("ends", None) => Some(Self::Ends),
            _ => None,
        }
    }
}

impl Worker {
    fn start(file: &Path, size: Size, from: u64, life: u64) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", THE_TEST, "--nocapture", "--test-threads=1"])
            .env(FILE, file)
            .env(SIZE, size.name())
            .env(FROM, from.to_string())
            .env(LIFE, life.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The next thing that it says; `None` when it has ended.
    fn next(&mut self) -> Option<Said> {
        // The test harness of the child talks too.
        self.lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Said::read(&line))
    }

    /// Kills it, and hears what it had said by then.
    fn kill(mut self) -> Vec<Said> {
        self.process.kill().unwrap();
        let said = std::iter::from_fn(|| self.next()).collect();
        self.process.wait().unwrap();
        said
    }
}

/// The life of a child: works on, and tells.
fn work(file: &Path) -> ExitCode {
    let say = |line: &str| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{line}").unwrap();
        out.flush().unwrap();
    };
    let number = |variable| number_from(variable).unwrap();
    let size = Size::named(&env::var(SIZE).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    say("opens");
    let store = Arc::new(SqliteStore::open(file).unwrap());
    let script = Script::on(store, size, number(LIFE) + 1);
    runtime.block_on(async {
        for number in number(FROM)..crate::script::COMMANDS {
            say(&format!("begins {number}"));
            let told = script
                .run(number, &|part| say(&format!("part {part}")))
                .await
                .unwrap();
            say(&format!("acknowledged {number} {told}"));
        }
    });
    drop(script);
    say("ends");
    ExitCode::SUCCESS
}

/// A file that is worked on by one child after the other.
struct File<'a> {
    path: PathBuf,
    size: Size,
    reference: &'a Reference,
    /// The commands before this one were acknowledged.
    next: u64,
    lives: u64,
}

impl File<'_> {
    /// Lets a child work, kills it at a random moment, and looks at what it left. Whether there is more to do.
    fn live_and_die(&mut self, random: &mut Random, met: &mut Met) -> bool {
        let target = self.next + random.below(AHEAD);
        let mut worker = Worker::start(&self.path, self.size, self.next, self.lives);
        self.lives += 1;
        let (mut running, mut parts) = (None, Vec::new());
        while running != Some(target) {
            match worker.next() {
                Some(said) => self.hear(said, &mut running, &mut parts),
                // It came to the end of the script, or to grief.
                None => break,
            }
        }
        random.dawdle();
        for said in worker.kill() {
            self.hear(said, &mut running, &mut parts);
        }
        let store = SqliteStore::open(&self.path).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let script = Script::on(Arc::new(store), self.size, 0);
        let state = runtime.block_on(State::of(&script));
        drop(script);
        assert_intact(&self.path);
        match running {
            Some(number) => self.assert_whole(number, &state, &parts, met),
            None => assert_same(&state, self.reference.before(self.next)),
        }
        self.next < crate::script::COMMANDS
    }

    fn hear(&mut self, said: Said, running: &mut Option<u64>, parts: &mut Vec<u64>) {
        match said {
            Said::Opens => {}
            Said::Begins(number) => {
                assert_eq!(number, self.next);
                *running = Some(number);
                parts.clear();
            }
            Said::Part(part) => parts.push(part),
            Said::Acknowledged(number, told) => {
                assert_eq!(number, self.next);
                assert_eq!(told, self.reference.told(number), "command {number}");
                self.next += 1;
                *running = None;
            }
            Said::Ends => assert_eq!(self.next, crate::script::COMMANDS),
        }
    }

    /// What was acknowledged is there, and of the command in flight all, nothing, or (of a longer one) a part.
    fn assert_whole(&self, number: u64, state: &State, parts: &[u64], met: &mut Met) {
        let (before, after) = (self.reference.before(number), self.reference.after(number));
        let command = crate::script::Command::of(number);
        let phase = command.phase();
        *met.during.entry(phase).or_default() += 1;
        // What changes nothing that is seen here was done or not: the next child finds out.
        if state == before {
            met.nothing += 1;
        } else if state == after {
            met.unheard += 1;
        } else {
            assert!(
                command.is_long(self.size),
                "command {number} ({command:?}) was half done: {}",
                state.difference(before)
            );
            state.assert_between(before, after);
            *met.half_way.entry(phase).or_default() += 1;
        }
        for part in parts {
            let event = crate::script::event_of_part(number, *part);
            assert!(state.has_event_of(&event), "{event} was acknowledged");
        }
    }

    /// All is done: as in the undisturbed run, and every command that is sent once more changes nothing.
    fn assert_finished(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let store = SqliteStore::open(&self.path).unwrap();
        let script = Script::on(Arc::new(store), self.size, self.lives + 1);
        runtime.block_on(async {
            let end = self.reference.before(crate::script::COMMANDS);
            assert_same(&State::of(&script).await, end);
            for number in 0..crate::script::COMMANDS {
                script.run(number, &|_| {}).await.unwrap();
            }
            assert_same(&State::of(&script).await, end);
        });
        drop(script);
        assert_intact(&self.path);
    }
}

fn assert_same(state: &State, expected: &State) {
    assert!(state == expected, "{}", state.difference(expected));
}

fn assert_intact(file: &Path) {
    let connection = Connection::open(file).unwrap();
    let told: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(told, "ok");
}

/// A file with everything that the script begins with, and how its script goes undisturbed.
struct Template {
    path: PathBuf,
    reference: Reference,
}

impl Template {
    fn of(folder: &Path, size: Size) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let path = folder.join(size.name());
        let store = SqliteStore::open(&path).unwrap();
        let script = Script::on(Arc::new(store), size, 0);
        runtime.block_on(script.prepare());
        drop(script);
        let reference = runtime.block_on(Reference::of(size));
        Self { path, reference }
    }
}

const THE_TEST: &str = "killed::whoever_is_killed_has_done_what_was_acknowledged";

#[test]
fn whoever_is_killed_has_done_what_was_acknowledged() -> ExitCode {
    if let Some(file) = env::var_os(FILE) {
        return work(Path::new(&file));
    }
    let kills = number_from("STOCKTAKE_TEST_KILLS").unwrap_or(KILLS);
    let seed = number_from("STOCKTAKE_SEED").unwrap_or(0);
    let folder = TempDir::new().unwrap();
    let templates =
        [Size::Small, Size::Large].map(|size| (size, Template::of(folder.path(), size)));
    let mut met = Met::default();
    let mut killed = 0;
    // When a kill comes is chance, and the machine's speed: what was met too rarely is waited for.
    let is_over = |killed, met: &Met| {
        killed >= kills && (met.enough(kills) || killed >= kills.saturating_mul(PATIENCE))
    };
    for number in 0.. {
        let mut random = Random(seed ^ (number << 32));
        let (size, template) = &templates[usize::from(number % LARGE == LARGE - 1)];
        let path = folder.path().join(format!("{number}.db"));
        fs::copy(&template.path, &path).unwrap();
        let mut file = File {
            path,
            size: *size,
            reference: &template.reference,
            next: 0,
            lives: 0,
        };
        while !is_over(killed, &met) && file.live_and_die(&mut random, &mut met) {
            killed += 1;
        }
        if file.next == crate::script::COMMANDS {
            file.assert_finished();
            met.finished += 1;
        }
        fs::remove_file(&file.path).unwrap();
        if is_over(killed, &met) {
            break;
        }
    }
    println!("{killed} kills from seed {seed}: {met:?}");
    assert!(met.enough(kills), "{met:?}");
    ExitCode::SUCCESS
}

#[test]
fn a_file_whose_maker_was_killed_opens() {
    let folder = TempDir::new().unwrap();
    let mut random = Random(1);
    let (mut with_tables, mut without_tables) = (0, 0);
    for number in 0..MADE * PATIENCE {
        let path = folder.path().join(format!("{number}.db"));
        let mut worker = Worker::start(&path, Size::Small, crate::script::COMMANDS, 0);
        assert_eq!(worker.next(), Some(Said::Opens));
        random.dawdle();
        drop(worker.kill());
        let is_made = Connection::open(&path)
            .and_then(|file| {
                file.query_row("SELECT count(*) FROM stk_schema", [], |row| row.get(0))
            })
            .unwrap_or(0_i64);
        if is_made == 0 {
            without_tables += 1;
        } else {
            with_tables += 1;
        }
        drop(SqliteStore::open(&path).unwrap());
        assert_intact(&path);
        if number >= MADE && with_tables > 0 && without_tables > 0 {
            return;
        }
    }
    panic!("{with_tables} with tables, {without_tables} without");
}
