//! The layers against each other, and what is refused.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Channel, ConfigError, Inputs, Loaded, Origin, load, show};

fn inputs(flags: &[(&'static str, &str)], environment: &[(&str, &str)]) -> Inputs {
    Inputs {
        flags: flags.iter().map(|(k, v)| (*k, (*v).to_owned())).collect(),
        file: None,
        environment: environment
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect::<BTreeMap<_, _>>(),
        is_root: true,
    }
}

fn with_file(mut inputs: Inputs, text: &str) -> Result<Loaded, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pitbossd.toml");
    std::fs::write(&path, text).unwrap();
    inputs.file = Some(path);
    load(&inputs)
}

fn refusal(result: Result<Loaded, ConfigError>) -> String {
    result.expect_err("refused").to_string()
}

fn origin(loaded: &Loaded, key: &str) -> Origin {
    let setting = loaded.settings.iter().find(|it| it.key.name == key);
    setting.unwrap().origin.clone()
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let loaded = with_file(
        inputs(
            &[("data_dir", "/flag")],
            &[("PITBOSS_DATA_DIR", "/env"), ("PITBOSS_ENVIRONMENT", "env")],
        ),
        "# ours\ndata_dir = '/file'\nenvironment = 'file'\nlog_files = 3\n",
    )
    .unwrap();
    assert_eq!(loaded.config.data_dir, Path::new("/flag"));
    assert_eq!(loaded.config.environment, "env");
    assert_eq!(loaded.config.log_files, 3);
    assert_eq!(loaded.config.data_listen.port(), 7400);
    assert_eq!(origin(&loaded, "data_dir"), Origin::Flag("data-dir"));
    assert!(matches!(origin(&loaded, "log_files"), Origin::File(_, 4)));
    assert_eq!(origin(&loaded, "data_listen"), Origin::Default);
    assert_eq!(loaded.config.data_rpc_listen, None, "off unless asked for");
}

#[test]
fn every_problem_of_a_file_is_told_with_its_line_and_a_fix() {
    let text = refusal(with_file(
        inputs(&[], &[]),
        "data_dri = 'x'\n\ncolour = 1\n",
    ));
    assert!(text.contains("pitbossd.toml:1: unknown key `data_dri`; did you mean `data_dir`?"));
    assert!(
        text.contains("pitbossd.toml:3: unknown key `colour`"),
        "{text}"
    );

    let text = refusal(with_file(
        inputs(&[], &[]),
        "log_files = 0\nlog_format = 'xml'\n",
    ));
    assert!(text.contains(":1: log_files: `0` does not fit"), "{text}");
    assert!(text.contains(":2: log_format: `xml` is none of"), "{text}");

    let text = refusal(with_file(inputs(&[], &[]), "ok = \n"));
    assert!(text.contains("pitbossd.toml:1"), "{text}");
}

#[test]
fn a_listener_off_loopback_is_refused_and_says_what_to_do() {
    for address in ["0.0.0.0:7400", "192.0.2.1:80", "[::]:7400"] {
        let text = refusal(load(&inputs(&[("data_listen", address)], &[])));
        assert!(text.contains("--data-listen"), "{text}");
        assert!(text.contains("no authentication; use 127.0.0.1"), "{text}");
        let text = refusal(load(&inputs(&[("data_rpc_listen", address)], &[])));
        assert!(text.contains("--data-rpc-listen"), "{text}");
    }
    for address in ["127.0.0.1:0", "[::1]:7400"] {
        load(&inputs(&[("data_listen", address)], &[])).unwrap();
    }
}

#[test]
fn the_database_url_is_taken_by_its_usual_name_and_never_shown() {
    let url = "postgres://ana:canary-81c@db/pitboss";
    let loaded = load(&inputs(&[], &[("DATABASE_URL", url)])).unwrap();
    let shown = format!("{}{:?}", show(&loaded), loaded.config);
    assert!(!shown.contains("canary-81c"), "{shown}");
    assert!(shown.contains("# DATABASE_URL"), "{shown}");

    let text = refusal(load(&inputs(
        &[],
        &[("DATABASE_URL", "postgres://x:canary-81c@:y/z")],
    )));
    assert!(!text.contains("canary-81c"), "{text}");
}

#[test]
fn logs_follow_a_data_directory_that_was_chosen() {
    let chosen = load(&inputs(&[("data_dir", "/srv/p")], &[])).unwrap();
    assert_eq!(chosen.config.log_dir, Path::new("/srv/p/logs"));
    let usual = load(&inputs(&[], &[])).unwrap();
    assert_eq!(usual.config.log_dir, Path::new("/var/log/pitboss"));
    assert_eq!(usual.config.data_dir, Path::new("/var/lib/pitboss"));
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let mut named = inputs(&[], &[]);
    named.file = Some("/nowhere/pitbossd.toml".into());
    assert!(refusal(load(&named)).contains("/nowhere/pitbossd.toml"));
}

#[test]
fn events_are_kept_for_ever_unless_asked_otherwise_and_never_for_less_than_ids_are_known() {
    let keep = |text: &str| load(&inputs(&[("event_retention", text)], &[]));
    let days = |count: u64| Some(std::time::Duration::from_hours(24 * count));
    let usual = load(&inputs(&[], &[])).unwrap();
    assert_eq!(usual.config.event_retention, None);
    for (text, expected) in [("keep", None), ("45d", days(45)), ("90d", days(90))] {
        assert_eq!(keep(text).unwrap().config.event_retention, expected);
    }
    for (text, words) in [
        ("44d", "use 45d to"),
        ("0s", "or keep: ids of callers are looked up for 30 days"),
        ("for ever", "or write keep"),
    ] {
        let refused = refusal(keep(text));
        assert!(refused.contains(words), "{refused}");
    }
}

const CHANNELS: &str = r#"
[[alert_channel]]
name = "oncall"
kind = "webhook"
url = "https://hooks.example.com/canary-path"
secret_file = "DIR/secret"

[[alert_channel]]
name = "chat"
kind = "slack"
severity = "critical"
url_env = "CHAT_URL"

[[alert_channel]]
name = "am"
kind = "alertmanager"
url = ["http://10.0.0.1:9093", "http://10.0.0.2:9093/am"]
allow_private = true

[[alert_channel]]
name = "mail"
kind = "smtp"
server = "smtp.example.com"
username = "pitboss"
password_file = "DIR/password"
from = "Pitboss <pitboss@example.com>"
to = ["ana@example.com", "bo@example.com"]
"#;

/// `text` with DIR as a directory that holds the secrets.
fn with_channels(text: &str) -> Result<Loaded, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, secret: &str| {
        std::fs::write(directory.path().join(name), secret).unwrap();
    };
    write(
        "secret",
        "whsec_Y2FuYXJ5LXNlY3JldC1vZi0zMi1ieXRlcy1sZW5ndGg=\n",
    );
    write("short", "whsec_Y2FuYXJ5\n");
    write("password", "canary-password\n");
    let text = text.replace("DIR", &directory.path().display().to_string());
    let chat = "https://hooks.slack.com/services/canary-token";
    with_file(inputs(&[], &[("CHAT_URL", chat)]), &text)
}

#[test]
fn alert_channels_are_read_and_nothing_secret_is_shown() {
    let loaded = with_channels(CHANNELS).unwrap();
    let channels = &loaded.config.alert_channels;
    let kinds: Vec<&str> = channels.iter().map(Channel::kind).collect();
    assert_eq!(kinds, ["webhook", "slack", "alertmanager", "smtp"]);
    let shown = show(&loaded);
    for line in [
        "[[alert_channel]] oncall: webhook at https://hooks.example.com, from warning",
        "[[alert_channel]] chat: slack at https://hooks.slack.com, from critical",
        "[[alert_channel]] am: alertmanager at http://10.0.0.1:9093, http://10.0.0.2:9093, from warning",
        "[[alert_channel]] mail: smtp at smtp.example.com:587 for ana@example.com, bo@example.com, from warning",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let seen = format!("{shown}{:?}", loaded.config);
    assert!(!seen.contains("canary"), "{seen}");
    assert!(!seen.contains("Y2FuYXJ5"), "{seen}");
}

#[test]
fn what_is_wrong_with_a_channel_is_told_with_its_line_and_a_fix() {
    let one = |lines: &str| format!("[[alert_channel]]\nname = \"x\"\n{lines}");
    for (text, words) in [
        ("alert_channel = 1".to_owned(), "under [[alert_channel]]"),
        (
            "alert_chanel = 1".to_owned(),
            "did you mean `alert_channel`",
        ),
        (
            one("kind = \"pager\""),
            ":3: kind: `pager` is none of webhook",
        ),
        (
            one("kind = \"slack\"\nurl_fil = \"x\""),
            ":4: unknown key `url_fil`; did you mean `url_file`",
        ),
        (
            one("kind = \"slack\"\nurl_file = \"x\"\nto = \"y\""),
            ":5: to: a channel of kind slack has url_file",
        ),
        (one("kind = \"slack\""), "in the file that this names"),
        (
            one("kind = \"slack\"\nurl_env = \"NOT_SET\""),
            "the variable NOT_SET is not set",
        ),
        (
            one("kind = \"slack\"\nurl_file = \"relative\""),
            "not an absolute path",
        ),
        (
            one("kind = \"teams\"\nurl_file = \"/nowhere/x\""),
            "/nowhere/x",
        ),
        (
            one(
                "kind = \"webhook\"\nurl = \"http://hooks.example.com\"\nsecret_file = \"DIR/secret\"",
            ),
            "use https://",
        ),
        (
            one(
                "kind = \"webhook\"\nurl = \"https://169.254.169.254/\"\nsecret_file = \"DIR/secret\"",
            ),
            "not a public address",
        ),
        (
            one("kind = \"webhook\"\nurl = \"https://a.example\"\nsecret_file = \"DIR/short\""),
            "24 to 64 bytes",
        ),
        (
            one("kind = \"webhook\"\nurl = \"https://a.example\""),
            "what is signed with?",
        ),
        (
            one("kind = \"alertmanager\"\nurl = \"http://10.0.0.1\""),
            "allow_private = true",
        ),
        (
            one("kind = \"smtp\"\nserver = \"a\"\nfrom = \"nobody\"\nto = [\"a@b.example\"]"),
            ":5: from: `nobody` is not an address",
        ),
        (
            one(
                "kind = \"smtp\"\nserver = \"a/b\"\nfrom = \"a@b.example\"\nto = [\"a@b.example\"]",
            ),
            "not HOST:PORT",
        ),
        (
            one(
                "kind = \"smtp\"\nserver = \"a\"\ntls = \"never\"\nfrom = \"a@b.example\"\nto = \"a@b.example\"",
            ),
            "allow_private = true as well",
        ),
        (
            one(
                "kind = \"smtp\"\nserver = \"a\"\nusername = \"u\"\nfrom = \"a@b.example\"\nto = \"a@b.example\"",
            ),
            "it needs a password",
        ),
        (
            one("kind = \"slack\"\nseverity = \"bad\"\nurl_env = \"CHAT_URL\""),
            "neither warning",
        ),
        (
            format!(
                "{0}\n{0}",
                one("kind = \"slack\"\nurl_env = \"CHAT_URL\"\n")
            ),
            "there are two channels `x`",
        ),
        (
            "[[alert_channel]]\nkind = \"slack\"\nurl_env = \"CHAT_URL\"".to_owned(),
            ":1: name: the channel needs a name",
        ),
    ] {
        let refused = refusal(with_channels(&text));
        assert!(refused.contains(words), "{text}\n{refused}");
        assert!(!refused.contains("canary"), "{refused}");
    }
}
