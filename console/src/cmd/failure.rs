//! How a command can fail, what it says then, and with which exit code it ends.

use std::io;
use std::path::PathBuf;

use protocol::refusal::{Code, Problem, Refusal, Retry};
use protocol::transport::ConnectError;
use tarpc::client::RpcError;

use crate::demo::DemoError;
use crate::output::{Role, Span, Text, plain};

/// The exit codes of every command; `pitboss --help` explains them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It is done.
    Done,
    /// The command line or a file is wrong.
    Usage,
    /// The daemon, or a person, said no.
    Refused,
    /// No daemon answers.
    Unreachable,
    /// A guardrail fails, or something that must hold does not.
    Breached,
}

impl Exit {
    /// The number a script sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unreachable => 4,
            Self::Breached => 5,
        }
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line is wrong: type it differently.
    #[error("{0}")]
    Usage(String),
    /// The file is wrong: correct it.
    #[error("the file has {} problem(s)", .0.len())]
    File(Vec<Problem>),
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The daemon refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nobody confirmed it, or the question was answered with no.
    #[error("{0}")]
    Unconfirmed(String),
    /// There is no connection.
    #[error(transparent)]
    Unreachable(#[from] ConnectError),
    /// The connection broke, or the daemon took too long.
    #[error("{0}")]
    Lost(String),
    /// Something that must hold does not.
    #[error("{0}")]
    Breached(String),
    /// The demo's own machinery.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// The machine did not do its part: output, runtime, a child process.
    #[error("the system refused")]
    System(#[from] io::Error),
}

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        Self::Lost(match error {
            RpcError::DeadlineExceeded => {
                "the daemon did not answer in time; it may be starting or its database may be away"
                    .to_owned()
            }
            RpcError::Shutdown | RpcError::Channel(_) => {
                "the daemon closed the connection: it is restarting, or too many consoles of this account are connected"
                    .to_owned()
            }
            RpcError::Send(source) => format!("the request could not be sent: {source}"),
            RpcError::Server(source) => format!("the daemon could not take the request: {source}"),
        })
    }
}

impl Failure {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::File(_) | Self::Unreadable { .. } => Exit::Usage,
            Self::Refused(refusal) => exit_of(refusal.code),
            Self::Unreachable(_) | Self::Lost(_) => Exit::Unreachable,
            Self::Breached(_) => Exit::Breached,
            Self::System(source) if reader_is_gone(source) => Exit::Done,
            Self::Unconfirmed(_) | Self::Demo(_) | Self::System(_) => Exit::Refused,
        }
    }

    /// Whether the same question may be answered in a moment: the database is away, the daemon is not.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.retry() == Retry::Later)
    }

    /// What is said on standard error; nothing where the reader went away.
    pub fn text(&self) -> Text {
        match self {
            Self::System(source) if reader_is_gone(source) => Text::new(),
            Self::File(problems) => problems_text(problems),
            Self::Refused(refusal) if !refusal.problems.is_empty() => {
                problems_text(&refusal.problems)
            }
            Self::Refused(refusal) => error_text(&advised(refusal)),
            other => error_text(&chain(other)),
        }
    }
}

fn exit_of(code: Code) -> Exit {
    match code {
        Code::Invalid => Exit::Usage,
        Code::Unavailable => Exit::Unreachable,
        Code::NotFound
        | Code::Stale
        | Code::IllegalState
        | Code::Held
        | Code::Forbidden
        | Code::Version
        | Code::Internal
        | Code::Unknown => Exit::Refused,
    }
}

/// `| head` has seen enough: that is no failure.
fn reader_is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// The refusal and what to do about it, where the daemon's sentence does not know how it was asked.
fn advised(refusal: &Refusal) -> String {
    let advice = match refusal.code {
        Code::Stale => "; look at it again (pitboss plan) and repeat the command",
        Code::NotFound => "; pitboss ls shows what there is",
        Code::Unavailable => "; try again in a moment, or see pitboss health",
        _ => "",
    };
    format!("{}{advice}", refusal.message)
}

fn error_text(message: &str) -> Text {
    let mut lines = message.lines();
    let mut text = Text::new();
    text.line([
        Span::new(Role::Bad, "error"),
        plain(": "),
        plain(lines.next().unwrap_or_default()),
    ]);
    for line in lines {
        text.line([plain("  "), plain(line)]);
    }
    text
}

/// The error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        message.push_str(": ");
        message.push_str(&next.to_string());
        cause = next.source();
    }
    message
}

/// `file:line: what is wrong`, and below it what to write instead.
pub(super) fn problems_text(problems: &[Problem]) -> Text {
    let mut text = Text::new();
    for problem in problems {
        let place = format!("{}:{}", problem.file, problem.line);
        text.line([
            Span::new(Role::Strong, place),
            plain(": "),
            plain(&problem.message),
        ]);
        if !problem.fix.is_empty() {
            text.line([plain("  fix: "), plain(&problem.fix)]);
        }
    }
    text.line([Span::new(Role::Bad, counted(problems.len(), "problem"))]);
    text
}

/// `1 problem`, `2 problems`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_an_exit_code_a_script_can_branch_on() {
        for (code, wanted) in [
            (Code::Invalid, 2),
            (Code::NotFound, 3),
            (Code::Stale, 3),
            (Code::IllegalState, 3),
            (Code::Held, 3),
            (Code::Forbidden, 3),
            (Code::Version, 3),
            (Code::Unavailable, 4),
            (Code::Internal, 3),
            (Code::Unknown, 3),
        ] {
            let failure = Failure::from(Refusal::new(code, "no"));
            assert_eq!(failure.exit().code(), wanted, "{code:?}");
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure.exit(), Exit::Done);
        assert!(failure.text().is_empty());
    }

    #[test]
    fn a_stale_plan_says_what_to_do() {
        let stale = Refusal::new(Code::Stale, "the revision is 12 now, the plan was for 11");
        assert_eq!(
            Failure::from(stale).text().render(false),
            "error: the revision is 12 now, the plan was for 11; look at it again (pitboss plan) \
             and repeat the command\n"
        );
    }

    #[test]
    fn problems_of_a_file_come_all_at_once_with_line_and_fix() {
        let refusal = Refusal {
            code: Code::Invalid,
            message: "the file has problems".into(),
            problems: vec![Problem {
                file: "a.toml".into(),
                line: 7,
                message: "unknown key `trafic`".into(),
                fix: "write `traffic`".into(),
            }],
        };
        let failure = Failure::from(refusal);
        assert_eq!(failure.exit(), Exit::Usage);
        assert_eq!(
            failure.text().render(false),
            "a.toml:7: unknown key `trafic`\n  fix: write `traffic`\n1 problem\n"
        );
    }
}
