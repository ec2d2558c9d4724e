# One image for each peer and one for the stories, by target: authority, consumer, leptos-axum, leptos-actix, e2e.
# Foreign crates are built in layers of their own, from the manifests alone: a change of our sources builds only ours.
# PROFILE is cargo's: `dev` builds in half the time what runs at a fraction of the speed.

ARG RUST_IMAGE=rust:1-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS manifests
WORKDIR /src
COPY . .
# Manifests and the roots of crates stay, the latter empty: what is left changes only with what we depend on.
# Of the tests only the stories are run here.
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock \
      ! -path '*/src/lib.rs' ! -path '*/src/main.rs' ! -path '*/benches/*.rs' ! -path '*/examples/*.rs' \
      ! -path './tests/e2e/main.rs' -delete \
 && find . -type d -empty -delete \
 && find . -name '*.rs' -exec sh -c 'for file; do echo "#![allow(warnings)] fn main() { }" > "$file"; done' roots {} + \
 && awk 'BEGIN { RS = ""; ORS = "\n\n" } !/^\[\[test\]\]/ || /name = "e2e"/' tests/Cargo.toml > stories \
 && mv stories tests/Cargo.toml

FROM ${RUST_IMAGE} AS dependencies
WORKDIR /src
COPY --from=manifests /src .
ENV CARGO_TERM_COLOR=never
ARG PROFILE=release
# A release peer has the features it asks for. With `dev` all programs have those of the whole workspace, so that what they share,
# the tools and the stories included, is built once.
RUN if [ "$PROFILE" = dev ]; then by=--bin; else by=--package; fi \
 && cargo build --locked --quiet --profile "$PROFILE" $by authority $by consumer $by leptos-axum $by leptos-actix
RUN cargo build --locked --quiet --bin xtask
# Without the compiler's part for browsers the dashboards work all the same, only not live.
RUN rustup target add wasm32-unknown-unknown \
 && cargo build --locked --quiet --package dashboard-web --target wasm32-unknown-unknown \
      --profile wasm-release --target-dir target/wasm \
 || echo "no bundle for browsers: the dashboards will work without JavaScript"

FROM dependencies AS build
COPY crates crates
COPY poc poc
COPY tools tools
RUN find crates poc tools -name '*.rs' -exec touch {} + \
 && if [ "$PROFILE" = dev ]; then by=--bin; else by=--package; fi \
 && cargo build --locked --quiet --profile "$PROFILE" $by authority $by consumer $by leptos-axum $by leptos-actix \
 && cargo run --locked --quiet --bin xtask -- dashboard build \
 && mkdir -p /programs target/dashboard \
 && if [ "$PROFILE" = dev ]; then built=target/debug; else built="target/$PROFILE"; fi \
 && cp "$built/authority" "$built/consumer" "$built/leptos-axum" "$built/leptos-actix" /programs/

FROM dependencies AS story-dependencies
RUN cargo test --locked --quiet --no-run --test e2e

FROM story-dependencies AS stories
COPY crates crates
COPY poc poc
COPY tools tools
COPY tests tests
RUN find crates poc tools tests -name '*.rs' -exec touch {} + \
 && rm -f target/debug/deps/e2e-* \
 && cargo test --locked --quiet --no-run --test e2e \
 && cp "$(find target/debug/deps -name 'e2e-*' -type f -perm -u+x | head -n 1)" /e2e

FROM ${RUNTIME_IMAGE} AS runtime
RUN apt-get update && apt-get install --yes --quiet --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

FROM runtime AS e2e
# The stories compare what the peers serve with what the documentation says.
COPY docs /src/docs
# Some run a peer's command, as an operator would beside the mesh: the programs are where cargo puts them, seen from a test.
COPY --from=build /programs/ /stories/
COPY --from=stories /e2e /stories/deps/e2e
WORKDIR /tmp
# What is skipped is about processes and machines, not about a mesh.
ENTRYPOINT ["/stories/deps/e2e", "--test-threads=1", "--skip", "configuration::", "--skip", "demo::", "--skip", "footprint::", \
            "--skip", "soak::", "--skip", "faults_alarm::", "--skip", "faults_clock::", "--skip", "faults_crashes::", \
            "--skip", "faults_links::", "--skip", "front_door::", "--skip", "key_server::", "--skip", "wrapped_keys::", \
            "--skip", "behind_the_gateway::", "--skip", "people::"]

FROM runtime AS peer
USER 10001:10001

FROM peer AS consumer
COPY --from=build /programs/consumer /usr/local/bin/consumer
EXPOSE 3002
ENTRYPOINT ["consumer"]

FROM peer AS authority
COPY --from=build /programs/authority /usr/local/bin/authority
EXPOSE 3001
ENTRYPOINT ["authority"]

FROM peer AS leptos-actix
COPY --from=build /src/target/dashboard /dashboard
COPY --from=build /programs/leptos-actix /usr/local/bin/leptos-actix
ENV DASHBOARD_DIR=/dashboard
EXPOSE 3004
ENTRYPOINT ["leptos-actix"]

FROM peer AS leptos-axum
COPY --from=build /src/target/dashboard /dashboard
COPY --from=build /programs/leptos-axum /usr/local/bin/leptos-axum
ENV DASHBOARD_DIR=/dashboard
EXPOSE 3003
ENTRYPOINT ["leptos-axum"]
