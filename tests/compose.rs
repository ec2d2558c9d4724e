//! `compose.yaml` and `compose.cluster.yaml` as text: what an engine is not needed for to see.

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::Path;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use hmac_propagation::event::MAX_EVENT_BYTES;
    use services::images;

    const FILES: [&str; 2] = ["compose.yaml", "compose.cluster.yaml"];

    fn read(name: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the tests stand in the workspace");
        fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The lines of a file without comments.
    fn lines(text: &str) -> impl Iterator<Item = &str> {
        text.lines()
            .filter(|line| !line.trim_start().starts_with('#'))
    }

    /// Every variable of a file, with its default where it has one.
    fn variables(text: &str) -> Vec<(&str, Option<&str>)> {
        let inner = text
            .split("${")
            .skip(1)
            .map(|rest| rest.split_once('}').expect("a closing brace").0);
        inner
            .map(|inner| {
                let (name, rest) = inner.split_once(':').expect("what counts when it is unset");
                (name, rest.strip_prefix('-'))
            })
            .collect()
    }

    /// All variables with their defaults.
    fn all() -> BTreeMap<String, BTreeSet<String>> {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for file in FILES {
            let text = read(file);
            for (name, default) in variables(&text) {
                all.entry(name.to_owned())
                    .or_default()
                    .extend(default.map(str::to_owned));
            }
        }
        all
    }

    #[test]
    fn a_variable_has_one_default_wherever_it_is_used() {
        for (name, defaults) in all() {
            let expected = if name == "ERLANG_COOKIE" { 0 } else { 1 };
            assert_eq!(defaults.len(), expected, "{name}: {defaults:?}");
        }
    }

    #[test]
    fn every_variable_is_documented_and_no_other() {
        let example = read(".env.example");
        let (peers, compose) = example
            .split_once("\n# --- docker compose")
            .expect("the part of compose.yaml");
        let name = |line: &str| {
            line.trim_start_matches('#')
                .split_once('=')
                .map(|(name, _)| name.to_owned())
        };
        let is_name = |name: &String| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        let documented: BTreeSet<String> =
            compose.lines().filter_map(name).filter(is_name).collect();
        let used: BTreeSet<String> = all().into_keys().collect();
        // A few are the peers' own and documented with them.
        let of_peers = |name: &&String| {
            peers.lines().any(|line| {
                line.trim_start_matches('#')
                    .starts_with(&format!("{name}="))
            }) && compose.contains(name.as_str())
        };
        let missing: Vec<_> = used
            .iter()
            .filter(|name| !documented.contains(*name) && !of_peers(name))
            .collect();
        assert!(
            missing.is_empty(),
            ".env.example says nothing of {missing:?}"
        );
        let unused: Vec<_> = documented.difference(&used).collect();
        assert!(
            unused.is_empty(),
            ".env.example speaks of {unused:?}, which nothing reads"
        );
    }

    #[test]
    fn every_default_of_a_secret_is_marked_as_the_demos() {
        const SECRETS: [&str; 6] = ["PASSWORD", "SECRET", "TOKEN", "KEY", "COOKIE", "PASS"];
        for (name, defaults) in all() {
            if !SECRETS
                .iter()
                .any(|part| name.split('_').any(|word| word == *part))
            {
                continue;
            }
            let Some(default) = defaults.first() else {
                continue;
            };
            // Nobody can sign in as the operator then.
            if name == "OPERATOR_PASSWORD" {
                assert_eq!(default, "");
                continue;
            }
            let decoded = STANDARD.decode(default).unwrap_or_default();
            let plain = default.starts_with("demo-only-");
            assert!(
                plain || decoded.starts_with(b"demo-only-"),
                "{name}: {default}"
            );
            assert!(
                !name.ends_with("SECRETS_KEY") || decoded.len() == 32,
                "{name}: {} bytes",
                decoded.len()
            );
        }
    }

    #[test]
    fn ports_are_published_on_this_machine_only_and_can_be_moved() {
        let text = read("compose.yaml");
        let ports: Vec<&str> = lines(&text)
            .filter(|line| line.trim_start().starts_with("ports:"))
            .collect();
        assert_eq!(ports.len(), 6, "{ports:#?}");
        for port in ports {
            assert!(
                port.contains("[\"127.0.0.1:${") && port.contains("_PORT:-"),
                "{port}"
            );
        }
    }

    #[test]
    fn the_images_are_those_of_the_servers_elsewhere() {
        for file in FILES {
            let text = read(file);
            for line in lines(&text) {
                let Some((_, image)) = line.split_once("image: ") else {
                    continue;
                };
                // Each may be given another one, or the same by its digest.
                let image = image.split_once(":-").map_or(image, |(_, usual)| usual);
                let image = image.trim_end_matches('}');
                let ours = [
                    images::RABBITMQ,
                    images::MARIADB,
                    images::REDIS,
                    "phpmyadmin:5",
                ];
                assert!(ours.contains(&image), "{file}: {image}");
            }
        }
    }

    /// No name that two meshes would share, and nothing that is newer than the Compose that the file asks for.
    #[test]
    fn two_meshes_can_be_beside_each_other() {
        let text = read("compose.yaml");
        for line in lines(&text) {
            let trimmed = line.trim_start();
            for key in [
                "name:",
                "version:",
                "container_name:",
                "start_interval:",
                "required:",
                "env_file:",
            ] {
                assert!(
                    !trimmed.starts_with(key) && !trimmed.contains(&format!("{{ {key}")),
                    "{line}"
                );
            }
        }
    }

    #[test]
    fn the_broker_takes_every_event() {
        let conf = read("compose/rabbitmq.conf");
        let largest = lines(&conf)
            .find_map(|line| line.strip_prefix("max_message_size = "))
            .expect("a largest message");
        let largest: usize = largest.parse().expect("bytes");
        assert!(largest >= MAX_EVENT_BYTES, "{largest}");
    }

    #[test]
    fn a_node_of_the_cluster_is_configured_as_one_alone() {
        let cluster = read("compose/cluster.conf");
        let conf = read("compose/rabbitmq.conf");
        for line in lines(&conf) {
            assert!(lines(&cluster).any(|own| own == line), "{line}");
        }
    }

    #[test]
    fn a_dockerfile_needs_no_pull_for_its_own_syntax() {
        let text = read("Dockerfile");
        for line in text.lines() {
            assert!(!line.starts_with("# syntax="), "{line}");
            assert!(
                !line.contains("COPY --link") && !line.contains("<<"),
                "{line}"
            );
        }
        for peer in ["authority", "consumer", "leptos-axum", "leptos-actix"] {
            assert!(
                text.contains(&format!("FROM peer AS {peer}\n")),
                "{peer} runs as everybody's user"
            );
        }
        assert!(text.contains("FROM runtime AS peer\nUSER 10001:10001\n"));
    }
}
