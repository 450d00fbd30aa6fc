//! The layers against each other, and what is refused.

use std::collections::BTreeMap;
use std::path::Path;

use super::{ConfigError, Inputs, Loaded, Origin, load, show};

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
