//! The fields of the forms, and what each is called in a sentence.

/// One field.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) hint: &'static str,
    pub(crate) required: bool,
}

impl Field {
    const fn required(name: &'static str, label: &'static str) -> Self {
        Self {
            name,
            label,
            hint: "",
            required: true,
        }
    }

    const fn optional(name: &'static str, label: &'static str) -> Self {
        Self {
            required: false,
            ..Self::required(name, label)
        }
    }

    const fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }
}

/// The client's id.
pub(crate) const CLIENT_ID: Field = Field::required("clientId", "Client id");
/// A client's new secret.
pub(crate) const SECRET: Field = Field::required("secret", "Secret")
    .hint("Only its hash is kept, and it is never shown again: copy it before you send.");
/// The secret of a signed call.
pub(crate) const SIGNING_SECRET: Field =
    Field::optional("secret", "Secret").hint("None: the hash that this peer holds signs.");
/// Where a client is made.
pub(crate) const TARGETS: Field =
    Field::required("targets", "Targets").hint("The peers that shall know it, beside this one.");
/// Where a client is taken away.
pub(crate) const LEAVING: Field =
    TARGETS.hint("It is taken away from these peers and from this one.");
/// The peer of a signed call.
pub(crate) const CALLED: Field = Field::required("target", "Peer to call");
/// From where a client may come.
pub(crate) const ALLOWED_IPS: Field = Field::optional("allowedIps", "Allowed addresses")
    .hint("Addresses or networks such as 10.0.0.0/8, one a line. None: every address.");
/// Until when it may.
pub(crate) const EXPIRES_AT: Field =
    Field::optional("expiresAt", "Expiry").hint("In UTC. None: it does not expire.");
/// The track.
pub(crate) const TRACK: Field = Field::required("track", "Track");
/// A target's name.
pub(crate) const NAME: Field =
    Field::required("targetAmqpQueue", "Name").hint("The peer's name, which is also its queue.");
/// A target's entry secret.
pub(crate) const PROPAGATION_SECRET: Field =
    Field::required("propagationSecret", "Propagation secret").hint(
        "What events to this peer bear: its own PROPAGATION_SECRET. Stored encrypted, never shown.",
    );
/// A target's note.
pub(crate) const NOTE: Field = Field::optional("note", "Note");
/// What a resync does to a newer change of another source.
pub(crate) const NEWER: Field = Field::optional(
    "newer",
    "Overwrite what another source may have changed there",
);

/// What a field of the API is called in a sentence about a mistake.
pub(crate) fn label(name: &str) -> &str {
    let fields = [
        CLIENT_ID,
        SECRET,
        TARGETS,
        ALLOWED_IPS,
        EXPIRES_AT,
        TRACK,
        NAME,
        PROPAGATION_SECRET,
        NOTE,
    ];
    match fields.into_iter().find(|field| field.name == name) {
        Some(field) => field.label,
        // Of a signed call and of a resync.
        None if name == "target" => "Target",
        None => name,
    }
}
