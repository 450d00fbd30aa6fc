//! The README's curl examples, typed as they stand there.

use std::process::Command;

use harness::binaries::project;
use harness::installation::Installation;

#[tokio::test(flavor = "multi_thread")]
async fn every_curl_example_works_as_it_stands() -> anyhow::Result<()> {
    let installation = Installation::start().await?;
    let example = std::fs::read_to_string(project().join("experiments.example.toml"))?;
    installation.apply(&example)?;
    let readme = std::fs::read_to_string(project().join("README.md"))?;
    let examples: Vec<&str> = readme
        .split("```sh\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .filter(|block| block.starts_with("curl"))
        .collect();
    assert!(
        examples.len() >= 4,
        "the README shows how to assign, expose, track and read results"
    );
    for example in examples {
        let here = example.replace("127.0.0.1:7400", &installation.data_address());
        let output = Command::new("sh")
            .arg("-c")
            .arg(format!("set -e\n{here}"))
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{example}\n{said}");
        assert!(!said.contains("\"code\""), "{example}\n{said}");
    }
    Ok(())
}
