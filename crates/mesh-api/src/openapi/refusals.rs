//! How a route may say no: the statuses, and the codes of each.

use std::collections::BTreeMap;

use utoipa::openapi::path::OperationBuilder;

use crate::openapi::parts::described;
use crate::problem::Problem;
use crate::routes::{Method, Operation, Route};

/// A status, its codes, and what it means.
pub type Refusal = (u16, &'static [&'static str], &'static str);

/// Of every route that asks who comes, where `MANAGEMENT_AUTH` is `tokens`.
pub const ADMISSION: &[Refusal] = &[
    (
        400,
        &["INVALID_AUTHORIZATION"],
        "The header Authorization is malformed, or there are several",
    ),
    (
        401,
        &["UNAUTHENTICATED"],
        "No token, or none that is good here; `WWW-Authenticate` says which is wanted",
    ),
    (
        403,
        &["FORBIDDEN"],
        "The token does not allow this; the message names the permission",
    ),
    (
        503,
        &["AUTH_UNAVAILABLE"],
        "The token cannot be checked: the store of used tokens is away, or the keys are",
    ),
];

/// Of every route of the management surface.
const ALWAYS: &[Refusal] = &[
    (
        400,
        &["INVALID_OPTIONS"],
        "A field or parameter is wrong, unknown or given twice; `field` says which",
    ),
    (
        500,
        &["INTERNAL_ERROR"],
        "The peer failed; its log says more",
    ),
    (
        503,
        &["INTERNAL_ERROR", "TIMEOUT"],
        "A store or the broker is away, or the answer took too long",
    ),
];

/// Of every route that takes a body.
const WITH_BODY: &[Refusal] = &[
    (
        400,
        &["INVALID_JSON", "INVALID_BODY"],
        "The body is no JSON object, or did not come whole",
    ),
    (
        403,
        &["CROSS_SITE_REQUEST"],
        "A page of another site sent it",
    ),
    (408, &["REQUEST_TIMEOUT"], "The body did not come in time"),
    (
        413,
        &["PAYLOAD_TOO_LARGE"],
        "The body has more than 65536 bytes",
    ),
    (
        415,
        &["UNSUPPORTED_MEDIA_TYPE"],
        "The body is declared as something else",
    ),
];

/// Of every route that takes a form too.
const WITH_FORM: &[Refusal] = &[(
    400,
    &["INVALID_FORM"],
    "The body is declared as a form and is none",
)];

/// Of one operation only.
fn own(operation: Operation) -> &'static [Refusal] {
    const UNKNOWN_CLIENT: Refusal = (404, &["UNKNOWN_CLIENT"], "There is no such client");
    const NO_VIEW: Refusal = (404, &["NOT_FOUND"], "This peer reads no store but its own");
    match operation {
        Operation::Rotate => &[UNKNOWN_CLIENT],
        Operation::CallTarget => &[
            UNKNOWN_CLIENT,
            (
                503,
                &["TARGET_UNREACHABLE"],
                "The called peer did not answer",
            ),
        ],
        Operation::PutTarget => &[(400, &["SELF_TARGET"], "The target is this peer itself")],
        Operation::DeleteTarget => &[
            (400, &["SELF_TARGET"], "The target is this peer itself"),
            (404, &["UNKNOWN_TARGET"], "There is no such target"),
            (
                409,
                &["TARGET_IN_USE"],
                "Clients are booked for it; the message says how many",
            ),
        ],
        Operation::Mesh | Operation::MeshHealth => &[NO_VIEW],
        Operation::StopPeer | Operation::StartPeer => &[(
            404,
            &["NOT_FOUND", "UNKNOWN_PEER"],
            "Peers cannot be stopped and started from here, or not this one",
        )],
        Operation::Ensure
        | Operation::Revoke
        | Operation::Sync
        | Operation::Resync
        | Operation::State
        | Operation::Hash
        | Operation::LocalClients
        | Operation::Timeline => &[],
    }
}

/// Adds what a route of the management surface may refuse with.
pub(super) fn managed(
    operation: OperationBuilder,
    route: &Route,
    takes_form: bool,
) -> OperationBuilder {
    let with_body = if route.method == Method::Get {
        &[][..]
    } else {
        WITH_BODY
    };
    let with_form = if takes_form { WITH_FORM } else { &[] };
    let all = [
        ADMISSION,
        ALWAYS,
        with_body,
        with_form,
        own(route.operation),
    ]
    .concat();
    add(operation, &all)
}

/// Adds what the stream of changes may refuse with.
pub(super) fn events(operation: OperationBuilder) -> OperationBuilder {
    let many: Refusal = (
        503,
        &["TOO_MANY_STREAMS"],
        "As many streams are open as may be",
    );
    add(
        operation,
        &[ADMISSION, own(Operation::Mesh), &[many]].concat(),
    )
}

/// Adds a response for each status, with all that is known of it: the status, its codes, and what it means.
pub fn add(
    operation: OperationBuilder,
    refusals: &[(u16, &[&'static str], &'static str)],
) -> OperationBuilder {
    let mut by_status: BTreeMap<u16, Vec<(String, &str)>> = BTreeMap::new();
    for (status, codes, meaning) in refusals {
        let codes = codes
            .iter()
            .map(|code| format!("`{code}`"))
            .collect::<Vec<_>>()
            .join(", ");
        let known = by_status.entry(*status).or_default();
        match known.iter_mut().find(|(_, told)| told == meaning) {
            Some((list, _)) => *list = format!("{list}, {codes}"),
            None => known.push((codes, *meaning)),
        }
    }
    by_status
        .into_iter()
        .fold(operation, |operation, (status, known)| {
            let texts: Vec<String> = known
                .iter()
                .map(|(codes, meaning)| format!("{codes}: {meaning}."))
                .collect();
            operation.response(status.to_string(), described::<Problem>(&texts.join(" ")))
        })
}
