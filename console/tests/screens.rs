//! Golden screens: what an operator sees, at every size, with its styles where they carry meaning.

mod fixtures;

use std::fmt::Write as _;

use console::model::Model;
use console::model::link::Failure;
use console::msg::{LinkEvent, Msg, Reply};
use console::theme::glyphs::Glyphs;
use console::theme::{Theme, ThemeName};
use console::update::update;
use console::view;
use protocol::decision::DecisionLine;
use protocol::experiments::{Detail, GuardrailRow, LaneDetail, Row, ScheduleRow, Stale};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use fixtures::{
    alerts, audit, checkout_button, decision, detail, held, link, open_detail, open_detail_of,
    plan, press, reply, rows, starting, type_text, watching,
};

const SIZES: [(u16, u16); 5] = [(80, 24), (120, 40), (100, 34), (60, 20), (20, 5)];

fn buffer(model: &Model, theme: ThemeName, glyphs: Glyphs) -> (Buffer, Option<(u16, u16)>) {
    let backend = TestBackend::new(model.size.0, model.size.1);
    let mut terminal = Terminal::new(backend).expect("a terminal");
    let theme = Theme::new(theme, glyphs);
    let mut cursor = None;
    terminal
        .draw(|frame| {
            let area = frame.area();
            cursor = view::paint(model, &theme, area, frame.buffer_mut());
        })
        .expect("drawn");
    let cursor = cursor.map(|at| (at.x, at.y));
    (terminal.backend().buffer().clone(), cursor)
}

/// The text of a screen, lines without the blanks at their end.
fn text(model: &Model, glyphs: Glyphs) -> String {
    let (buffer, cursor) = buffer(model, ThemeName::Dark, glyphs);
    let mut out = lines(&buffer, |x, y| buffer[(x, y)].symbol().to_owned());
    if let Some((x, y)) = cursor {
        let _ = writeln!(out, "cursor {x},{y}");
    }
    out
}

/// The text, then a letter for every cell's style, then what the letters mean.
fn styled(model: &Model, theme: ThemeName, glyphs: Glyphs) -> String {
    let (buffer, cursor) = buffer(model, theme, glyphs);
    let mut out = lines(&buffer, |x, y| buffer[(x, y)].symbol().to_owned());
    if let Some((x, y)) = cursor {
        let _ = writeln!(out, "cursor {x},{y}");
    }
    let mut known: Vec<(Color, Modifier)> = vec![(Color::Reset, Modifier::empty())];
    let styles = lines(&buffer, |x, y| {
        let cell = &buffer[(x, y)];
        let style = (cell.fg, cell.modifier);
        let at = known.iter().position(|other| *other == style);
        let at = at.unwrap_or_else(|| {
            known.push(style);
            known.len() - 1
        });
        char::from(b" abcdefghijklmnopqrstuvwxyz"[at]).to_string()
    });
    let _ = writeln!(out, "--- styles");
    out.push_str(&styles);
    for (at, (fg, modifier)) in known.iter().enumerate().skip(1) {
        let letter = char::from(b" abcdefghijklmnopqrstuvwxyz"[at]);
        let _ = writeln!(out, "{letter}: {fg} {modifier:?}");
    }
    out
}

fn lines(buffer: &Buffer, mut cell: impl FnMut(u16, u16) -> String) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let line: String = (0..buffer.area.width).map(|x| cell(x, y)).collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn at_every_size(name: &str, make: impl Fn((u16, u16)) -> Model) {
    for size in SIZES {
        let model = make(size);
        let name = format!("{name}_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, text(&model, Glyphs::UNICODE));
    }
}

#[test]
fn the_list_at_every_size() {
    at_every_size("list", |size| watching(size, false, rows()));
}

#[test]
fn a_daemon_without_its_database_is_stale_and_says_of_when() {
    let away = |row: Row| Row {
        stale: Some(Stale {
            as_of: fixtures::ago(33),
            figures: true,
        }),
        ..row
    };
    let model = watching((100, 24), true, rows().into_iter().map(away).collect());
    let screen = text(&model, Glyphs::UNICODE);
    assert!(screen.contains("STALE 33s old, no database"), "{screen}");
    assert!(!screen.contains("LIVE"), "{screen}");
}

#[test]
fn the_list_in_ascii_without_colour_still_shows_where_the_cursor_is() {
    let mut model = watching((80, 24), true, rows());
    press(&mut model, "j j");
    insta::assert_snapshot!(styled(&model, ThemeName::None, Glyphs::ASCII));
}

#[test]
fn the_list_in_colour_marks_states_by_word_and_colour() {
    let mut model = watching((80, 24), true, rows());
    press(&mut model, "j j");
    insta::assert_snapshot!(styled(&model, ThemeName::Dark, Glyphs::UNICODE));
}

#[test]
fn the_detail_at_every_size() {
    at_every_size("detail", |size| {
        let mut model = watching(size, false, rows());
        open_detail(&mut model);
        model
    });
}

#[test]
fn a_quarantined_arm_says_so_in_the_list_and_in_both_ways_to_draw_it() {
    for (size, name) in [((80, 24), "80x24"), ((120, 40), "120x40")] {
        let mut rows = rows();
        rows[0] = held(checkout_button(), "green");
        let mut model = watching(size, false, rows);
        let list = text(&model, Glyphs::UNICODE);
        insta::assert_snapshot!(format!("quarantine_list_{name}"), list);
        open_detail_of(&mut model, held(checkout_button(), "green"));
        let ridges = text(&model, Glyphs::UNICODE);
        insta::assert_snapshot!(format!("quarantine_detail_{name}"), ridges);
        press(&mut model, "v");
        let table = text(&model, Glyphs::UNICODE);
        insta::assert_snapshot!(format!("quarantine_table_{name}"), table);
    }
}

#[test]
fn each_lane_has_its_own_posterior_and_allocation() {
    for size in [(80, 24), (120, 40)] {
        let mut model = watching(size, false, rows());
        press(&mut model, "enter");
        let id = model.next_call - 1;
        update(&mut model, reply(id, Reply::Detail(Box::new(two_lanes()))));
        for shown in ["leading", "first", "second"] {
            let name = format!("detail_lane_{shown}_{}x{}", size.0, size.1);
            insta::assert_snapshot!(name, text(&model, Glyphs::UNICODE));
            press(&mut model, "L");
        }
    }
}

/// The lane `careful` as the row shows it, and `steady`, whose split is fixed.
fn two_lanes() -> Detail {
    let mut row = checkout_button();
    row.policy = "2 lanes".into();
    row.lane = "careful".into();
    let mut detail = detail(row);
    let careful = LaneDetail {
        lane: "careful".into(),
        policy: "thompson".into(),
        version: detail.row.version,
        published_at: detail.row.published_at,
        floor: detail.row.floor,
        burn_in: None,
        arms: detail.row.arms.clone(),
        allocation: detail.allocation.clone(),
    };
    let mut steady = LaneDetail {
        lane: "steady".into(),
        policy: "fixed".into(),
        version: 1,
        floor: 0.0,
        ..careful.clone()
    };
    steady.allocation.truncate(1);
    for (arm, share) in steady.arms.iter_mut().zip(&steady.allocation[0].shares) {
        arm.share = *share;
        arm.assigned /= 4;
    }
    detail.lanes = vec![careful, steady];
    detail
}

#[test]
fn the_detail_in_ascii() {
    for size in [(80, 24), (100, 34)] {
        let mut model = watching(size, true, rows());
        open_detail(&mut model);
        let name = format!("detail_ascii_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, styled(&model, ThemeName::None, Glyphs::ASCII));
    }
}

#[test]
fn a_detail_that_has_learned_nothing_says_so() {
    let mut model = watching((80, 24), false, rows());
    press(&mut model, "j j j j");
    press(&mut model, "enter");
    let id = model.next_call - 1;
    let mut fresh = rows()[4].clone();
    fresh.burn_in = Some("0 of 100 rewards on control".into());
    update(
        &mut model,
        reply(id, Reply::Detail(Box::new(detail(fresh)))),
    );
    insta::assert_snapshot!(text(&model, Glyphs::UNICODE));
}

#[test]
fn many_guardrails_leave_room_for_the_ridge_and_the_loud_one_keeps_its_line() {
    let mut model = watching((80, 24), false, rows());
    press(&mut model, "enter");
    let id = model.next_call - 1;
    let mut row = checkout_button();
    let quiet = row.guardrails[0].clone();
    for name in ["support calls", "srm", "staleness"] {
        row.guardrails.push(GuardrailRow {
            name: name.into(),
            ..quiet.clone()
        });
    }
    row.guardrails[1].status = "warn".into();
    row.arms.pop();
    update(&mut model, reply(id, Reply::Detail(Box::new(detail(row)))));
    insta::assert_snapshot!(text(&model, Glyphs::UNICODE));
}

#[test]
fn one_part_at_a_time_on_a_small_screen() {
    let mut model = watching((60, 20), false, rows());
    open_detail(&mut model);
    for part in [
        "posterior",
        "allocation",
        "guardrails",
        "decision",
        "events",
        "file",
    ] {
        insta::assert_snapshot!(
            format!("detail_60x20_{part}"),
            text(&model, Glyphs::UNICODE)
        );
        press(&mut model, "tab");
    }
}

#[test]
fn a_long_recommendation_takes_both_lines_below_the_list() {
    let decided = Row {
        decision: Some(DecisionLine {
            caution: None,
            ..decision().line
        }),
        ..checkout_button()
    };
    let model = watching((80, 24), false, vec![decided]);
    let shown = text(&model, Glyphs::UNICODE);
    assert!(
        shown.contains("32,325 outcomes."),
        "the end of the sentence is on screen:\n{shown}"
    );
}

#[test]
fn a_recommendation_is_marked_in_the_list_said_on_the_screen_and_explained_in_its_part() {
    for size in [(80, 24), (120, 40)] {
        let decided = Row {
            decision: Some(decision().line),
            ..checkout_button()
        };
        let mut model = watching(size, false, vec![decided.clone()]);
        let at = format!("{}x{}", size.0, size.1);
        let shown = styled(&model, ThemeName::Dark, Glyphs::UNICODE);
        insta::assert_snapshot!(format!("decision_list_{at}"), shown);
        press(&mut model, "enter");
        let id = model.next_call - 1;
        let detail = Detail {
            decision: Some(decision()),
            ..detail(decided)
        };
        update(&mut model, reply(id, Reply::Detail(Box::new(detail))));
        let shown = styled(&model, ThemeName::Dark, Glyphs::UNICODE);
        insta::assert_snapshot!(format!("decision_detail_{at}"), shown);
        press(&mut model, "tab tab tab tab");
        let shown = styled(&model, ThemeName::Dark, Glyphs::UNICODE);
        insta::assert_snapshot!(format!("decision_part_{at}"), shown);
    }
}

#[test]
fn what_comes_by_the_calendar_is_said_in_the_list_and_on_the_screen() {
    let ramping = Row {
        traffic: 0.05,
        schedule: Some(fixtures::ramping()),
        ..checkout_button()
    };
    let mut model = watching((80, 24), false, vec![ramping.clone()]);
    insta::assert_snapshot!("calendar_list", text(&model, Glyphs::UNICODE));
    press(&mut model, "enter");
    let id = model.next_call - 1;
    let shown = Reply::Detail(Box::new(detail(ramping)));
    update(&mut model, reply(id, shown));
    insta::assert_snapshot!("calendar_detail", text(&model, Glyphs::UNICODE));

    let waits = Row {
        state: "draft".into(),
        schedule: Some(ScheduleRow {
            starts_at: Some(fixtures::ago(-90_000)),
            ..ScheduleRow::default()
        }),
        ..checkout_button()
    };
    let model = watching((80, 24), false, vec![waits]);
    insta::assert_snapshot!("calendar_draft", text(&model, Glyphs::UNICODE));
}

#[test]
fn the_three_emptinesses_and_the_one_before_them() {
    let never = starting((80, 24));
    insta::assert_snapshot!("empty_connecting", text(&never, Glyphs::UNICODE));
    let none = watching((80, 24), false, Vec::new());
    insta::assert_snapshot!("empty_none", text(&none, Glyphs::UNICODE));
    let mut hidden = watching((80, 24), false, rows());
    press(&mut hidden, "/");
    type_text(&mut hidden, "chekout");
    press(&mut hidden, "enter");
    insta::assert_snapshot!("empty_hidden", text(&hidden, Glyphs::UNICODE));
}

fn waiting() -> Msg {
    link(LinkEvent::Waiting {
        attempt: 2,
        for_ms: 4_000,
        failure: Failure {
            sentence: "nobody listens at /run/pitboss/control.sock: pitbossd has stopped".into(),
            advice: vec!["Is the daemon running?        systemctl status pitbossd".into()],
        },
    })
}

#[test]
fn a_lost_link_keeps_the_last_state_and_says_how_old_it_is() {
    let mut model = watching((80, 24), true, rows());
    update(&mut model, Msg::Clock(33_000));
    update(&mut model, waiting());
    insta::assert_snapshot!(styled(&model, ThemeName::Dark, Glyphs::UNICODE));
}

#[test]
fn a_first_connection_that_fails_prints_the_way_out() {
    let mut model = starting((80, 24));
    update(&mut model, waiting());
    insta::assert_snapshot!(text(&model, Glyphs::UNICODE));
}

#[test]
fn stale_and_frozen_are_words() {
    let mut model = watching((80, 24), false, rows());
    update(&mut model, Msg::Clock(25_000));
    insta::assert_snapshot!("stale", text(&model, Glyphs::UNICODE));
    press(&mut model, "space");
    update(&mut model, Msg::Clock(33_000));
    let news = fixtures::delta(vec![checkout_button()], &[], 18_423);
    update(&mut model, link(LinkEvent::Delta(news)));
    insta::assert_snapshot!("frozen", text(&model, Glyphs::UNICODE));
}

#[test]
fn the_stop_dialog_starts_on_cancel_and_wants_the_name() {
    for (name, production, theme, glyphs) in [
        ("stop_dialog", true, ThemeName::Dark, Glyphs::UNICODE),
        ("stop_dialog_ascii", true, ThemeName::None, Glyphs::ASCII),
        ("stop_dialog_demo", false, ThemeName::Dark, Glyphs::UNICODE),
    ] {
        let mut model = watching((80, 24), production, rows());
        press(&mut model, "X");
        insta::assert_snapshot!(name, styled(&model, theme, glyphs));
    }
    let mut model = watching((80, 24), true, rows());
    press(&mut model, "X");
    type_text(&mut model, "checkout_but");
    insta::assert_snapshot!(
        "stop_dialog_half_typed",
        styled(&model, ThemeName::Dark, Glyphs::UNICODE)
    );
}

#[test]
fn dialogs_fit_on_small_screens() {
    for size in [(60, 20), (40, 10)] {
        let mut model = watching(size, true, rows());
        press(&mut model, "X");
        let name = format!("stop_dialog_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, text(&model, Glyphs::UNICODE));
    }
}

fn planned(size: (u16, u16)) -> Model {
    let mut model = watching(size, true, rows());
    press(&mut model, "P");
    type_text(&mut model, "experiments.toml");
    press(&mut model, "enter");
    let path = "experiments.toml".to_owned();
    let text = Ok("version = 1".to_owned());
    update(&mut model, Msg::FileRead { path, text });
    let id = model.next_call - 1;
    update(&mut model, reply(id, Reply::Plan(plan())));
    model
}

#[test]
fn a_plan_at_every_size() {
    at_every_size("plan", planned);
}

#[test]
fn applying_a_plan_that_stops_something_wants_its_name() {
    let mut model = planned((80, 24));
    press(&mut model, "a");
    insta::assert_snapshot!(styled(&model, ThemeName::Dark, Glyphs::UNICODE));
}

#[test]
fn the_form_step_by_step() {
    let mut model = watching((80, 24), false, rows());
    press(&mut model, "n");
    insta::assert_snapshot!("form_basics", text(&model, Glyphs::UNICODE));
    press(&mut model, "pgdn");
    insta::assert_snapshot!("form_basics_wrong", text(&model, Glyphs::UNICODE));
    type_text(&mut model, "new_checkout");
    press(&mut model, "pgdn ctrl-n");
    type_text(&mut model, "bold");
    insta::assert_snapshot!("form_arms", text(&model, Glyphs::UNICODE));
    press(&mut model, "pgdn");
    insta::assert_snapshot!("form_reward", text(&model, Glyphs::UNICODE));
    press(&mut model, "pgdn");
    insta::assert_snapshot!("form_traffic", text(&model, Glyphs::UNICODE));
}

#[test]
fn the_form_at_other_sizes() {
    for size in [(120, 40), (60, 20)] {
        let mut model = watching(size, false, rows());
        press(&mut model, "n");
        type_text(&mut model, "new_checkout");
        press(&mut model, "pgdn");
        let name = format!("form_arms_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, text(&model, Glyphs::UNICODE));
    }
}

#[test]
fn help_audit_and_messages() {
    let mut model = watching((80, 24), false, rows());
    press(&mut model, "?");
    insta::assert_snapshot!("help", text(&model, Glyphs::UNICODE));
    press(&mut model, "ctrl-d ctrl-d");
    insta::assert_snapshot!("help_further", text(&model, Glyphs::UNICODE));
    press(&mut model, "esc A");
    let id = model.next_call - 1;
    update(&mut model, reply(id, Reply::Audit(audit())));
    insta::assert_snapshot!("audit", text(&model, Glyphs::UNICODE));
    press(&mut model, "!");
    let id = model.next_call - 1;
    update(&mut model, reply(id, Reply::Alerts(alerts())));
    insta::assert_snapshot!("alerts", text(&model, Glyphs::UNICODE));
    press(&mut model, "M");
    insta::assert_snapshot!("messages", text(&model, Glyphs::UNICODE));
}

#[test]
fn the_command_line_completes_and_the_filter_shows_its_error() {
    let mut model = watching((80, 24), false, rows());
    press(&mut model, ":");
    type_text(&mut model, "re");
    insta::assert_snapshot!("command_line", text(&model, Glyphs::UNICODE));
    press(&mut model, "esc /");
    type_text(&mut model, "checkout stat:x");
    insta::assert_snapshot!("filter_error", text(&model, Glyphs::UNICODE));
}

#[test]
fn every_screen_survives_every_size() {
    let screens: [fn((u16, u16)) -> Model; 5] = [
        |size| watching(size, true, rows()),
        |size| {
            let mut model = watching(size, true, rows());
            open_detail(&mut model);
            model
        },
        planned,
        |size| {
            let mut model = watching(size, true, rows());
            press(&mut model, "n pgdn");
            model
        },
        |size| {
            let mut model = watching(size, true, rows());
            press(&mut model, "!");
            let id = model.next_call - 1;
            update(&mut model, reply(id, Reply::Alerts(alerts())));
            model
        },
    ];
    for width in (1..130).step_by(8) {
        for height in (1..45).step_by(4) {
            for make in screens {
                let mut model = make((width, height));
                buffer(&model, ThemeName::Dark, Glyphs::UNICODE);
                press(&mut model, "esc X");
                buffer(&model, ThemeName::None, Glyphs::ASCII);
                press(&mut model, "esc : r /");
                buffer(&model, ThemeName::None, Glyphs::ASCII);
            }
        }
    }
}
