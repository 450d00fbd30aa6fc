//! `pitboss whatif`: what another policy would have earned on an experiment's own log.

use protocol::evaluation::{WhatIf, WhatIfRequest};
use protocol::refusal::{Code, Refusal};

use super::daemon::Daemon;
use super::format::{count, instant, source};
use super::{Exit, Failure, estimates};
use crate::cli::WhatIfArgs;
use crate::output::{self, Answer, Form, Role, Span, Text, plain, versioned};

/// The minor version of the contract that brought the call.
const SINCE: u16 = 1;

pub(super) async fn run(daemon: &Daemon, args: &WhatIfArgs) -> Result<Exit, Failure> {
    let spoken = daemon.welcome.protocol;
    if spoken.minor < SINCE {
        let (major, minor) = (spoken.major, spoken.minor);
        let message = format!(
            "the daemon speaks protocol {major}.{minor} and does not know whatif: it came with {major}.{SINCE}; \
             upgrade the daemon"
        );
        return Err(Refusal::new(Code::Version, message).into());
    }
    let request = WhatIfRequest {
        key: args.key.clone(),
        policy: args.policy.to_string(),
        lane: args.lane.clone(),
    };
    let answer = daemon.client.whatif(Daemon::patience(), request).await??;
    let printed = Answer {
        text: text(&answer, args.anyway),
        json: versioned(&answer),
    };
    output::answer(&printed, Form::from_flag(args.reading.json))?;
    Ok(estimates::exit(answer.evaluation.verdict == "refuse"))
}

pub(super) fn text(answer: &WhatIf, anyway: bool) -> Text {
    let WhatIf {
        experiment,
        lane,
        policy,
        instead_of,
        as_of,
        versions,
        pending,
        evaluation,
        source: read_from,
    } = answer;
    let refused = evaluation.verdict == "refuse";
    let mut text = Text::new();
    text.line([
        Span::new(Role::Strong, experiment),
        plain(format!("  as of {}", instant(*as_of))),
    ]);
    text.append(source(read_from.as_ref()));
    text.line([
        Span::new(Role::Strong, policy),
        plain(format!(" instead of {instead_of} in lane {lane}")),
    ]);
    text.append(estimates::table(evaluation, anyway || !refused));
    if anyway || !refused {
        text.append(estimates::sensitivity(evaluation));
    }
    text.blank();
    text.say(format!(
        "{} resolved units under {} policy versions; {} pending units are not judged.",
        count(evaluation.rows),
        count(*versions),
        count(*pending)
    ));
    text.append(estimates::gates(&evaluation.gates));
    text.say(estimates::verdict(evaluation, policy, "was logged"));
    if refused && !anyway {
        text.say(estimates::ANYWAY);
    }
    text
}
