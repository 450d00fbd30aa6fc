//! The console in a real terminal against a real daemon: find, open, pause, undo, quit.

use harness::binaries::pitboss;
use harness::installation::Installation;
use harness::terminal::Terminal;
use portable_pty::CommandBuilder;

use crate::stories::QUICK;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_opens_an_experiment_and_leaves_the_terminal_as_it_was() -> anyhow::Result<()> {
    let mut installation = Installation::start().await?;
    installation.apply(QUICK)?;
    let mut command = CommandBuilder::new(pitboss());
    command.arg("--socket");
    command.arg(installation.socket());
    let mut terminal = Terminal::run(command, 80, 24)?;

    terminal.shows("story").await;
    terminal.shows("LIVE").await;
    assert!(
        terminal.look(vt100::Screen::alternate_screen),
        "the console draws on a screen of its own"
    );
    terminal.types("\r")?;
    terminal.shows("old").await;
    terminal.shows("failure rate < 1%").await;
    terminal.resizes(120, 40)?;
    terminal.shows("Recent events").await;

    installation.kill_daemon()?;
    terminal.shows("RECONNECTING").await;
    installation.start_daemon().await?;
    terminal.shows("LIVE").await;

    terminal.types("?")?;
    terminal.shows("Help").await;
    terminal.types("\u{1b}")?;
    terminal.hides("Help").await;
    terminal.types("q")?;
    assert_eq!(terminal.ended().await, 0);
    assert!(
        !terminal.look(vt100::Screen::alternate_screen),
        "the alternate screen is left"
    );
    assert!(
        !terminal.look(vt100::Screen::hide_cursor),
        "the cursor is back"
    );
    Ok(())
}
