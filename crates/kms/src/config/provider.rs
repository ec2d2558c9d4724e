//! Reads one provider, by its type.

use jwt_auth::Algorithm;

use crate::config::reader::{Object, Plain};
use crate::config::settings::{
    ClientCertificate, HttpAuth, HttpSettings, OAuth2Settings, ProviderConfig, ProviderSettings,
    SqlSettings, TlsFiles, TransitSettings,
};

const TYPES: &str = "must be one of memory, sql, http, vault-transit";
const AUTH_TYPES: &str = "must be one of none, bearer, oauth2-client-credentials, mtls";
const BOTH: &[Algorithm] = &[Algorithm::EdDsa, Algorithm::Es256];

/// Reads a provider. What is wrong is noted; then there is none.
pub(crate) fn provider(object: Object<'_>) -> Option<ProviderConfig> {
    let id = object.text("id").filter(|id| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let fits = id.len() <= 64 && id.bytes().all(plain);
        if !fits {
            object.wrong("id", "must be 1 to 64 of A-Z, a-z, 0-9, - _ and .");
        }
        fits
    });
    let settings = match object.text("type")? {
        "memory" => Some(ProviderSettings::Memory),
        "sql" => sql(&object).map(ProviderSettings::Sql),
        "http" => http(&object).map(ProviderSettings::Http),
        "vault-transit" => transit(&object).map(ProviderSettings::Transit),
        _ => {
            object.wrong("type", TYPES);
            return None;
        }
    };
    object.finish();
    Some(ProviderConfig {
        id: id?.to_owned(),
        settings: settings?,
    })
}

fn sql(object: &Object<'_>) -> Option<SqlSettings> {
    let (database_url, secrets_key) = (object.secret("databaseUrl"), object.secret("secretsKey"));
    Some(SqlSettings {
        database_url: database_url?,
        secrets_key: secrets_key?,
    })
}

fn plain(object: &Object<'_>) -> Plain {
    match object.flag("allowPlain") {
        true => Plain::Anywhere,
        false => Plain::Loopback,
    }
}

fn http(object: &Object<'_>) -> Option<HttpSettings> {
    let plain = plain(object);
    let auth = object
        .object("auth")
        .and_then(|auth| authentication(auth, plain));
    let shows_certificate = auth.as_ref().is_some_and(|(_, client)| client.is_some());
    let plain = if shows_certificate {
        Plain::Never
    } else {
        plain
    };
    let base_url = object.server("baseUrl", plain);
    let keys_path = object.server_path("keysPath", "/keys");
    let health_path = object.server_path("healthPath", "/health");
    let ca_file = object.optional_text("caFile").map(Into::into);
    let can_import = object.flag("canImport");
    let algorithms = algorithms(object);
    let (auth, (client, ca_of_auth)) = auth.map(|(auth, tls)| (auth, tls.unzip()))?;
    let ca_of_auth = ca_of_auth.flatten();
    if ca_of_auth.is_some() && ca_file.is_some() {
        object.wrong(
            "caFile",
            "must not stand beside the caFile of the certificate",
        );
    }
    Some(HttpSettings {
        base_url: base_url?,
        keys_path,
        health_path,
        auth,
        tls: TlsFiles {
            ca_file: ca_of_auth.or(ca_file),
            client,
        },
        can_import,
        algorithms: algorithms?,
    })
}

type Certificates = Option<(ClientCertificate, Option<std::path::PathBuf>)>;

/// How the client proves who it is, and the certificate that it shows.
fn authentication(auth: Object<'_>, plain: Plain) -> Option<(HttpAuth, Certificates)> {
    let read = match auth.text("type")? {
        "none" => Some((HttpAuth::None, None)),
        "bearer" => auth
            .secret("token")
            .map(|token| (HttpAuth::Bearer(token), None)),
        "oauth2-client-credentials" => oauth2(&auth, plain),
        "mtls" => certificates(&auth).map(|files| (HttpAuth::None, Some(files))),
        _ => {
            auth.wrong("type", AUTH_TYPES);
            return None;
        }
    };
    auth.finish();
    read
}

fn oauth2(auth: &Object<'_>, plain: Plain) -> Option<(HttpAuth, Certificates)> {
    // A certificate is shown at both servers.
    let tls = auth.optional_object("tls");
    let shows_certificate = tls.is_some();
    let certificates = tls.and_then(|tls| {
        let read = certificates(&tls);
        tls.finish();
        read
    });
    let plain = if shows_certificate {
        Plain::Never
    } else {
        plain
    };
    let token_url = auth.server("tokenUrl", plain);
    let client_id = auth.text("clientId");
    let client_secret = auth.secret("clientSecret");
    let scope = auth.optional_text("scope").map(str::to_owned);
    if shows_certificate && certificates.is_none() {
        return None;
    }
    let settings = OAuth2Settings {
        token_url: token_url?,
        client_id: client_id?.to_owned(),
        client_secret: client_secret?,
        scope,
    };
    Some((HttpAuth::OAuth2(settings), certificates))
}

fn certificates(object: &Object<'_>) -> Option<(ClientCertificate, Option<std::path::PathBuf>)> {
    let (cert_file, key_file) = (object.text("certFile"), object.text("keyFile"));
    let ca_file = object.optional_text("caFile").map(Into::into);
    let client = ClientCertificate {
        cert_file: cert_file?.into(),
        key_file: key_file?.into(),
    };
    Some((client, ca_file))
}

fn algorithms(object: &Object<'_>) -> Option<&'static [Algorithm]> {
    let Some(names) = object.optional_texts("algorithms") else {
        return Some(BOTH);
    };
    let read: Option<Vec<Algorithm>> = names.into_iter().map(Algorithm::parse).collect();
    let has = |algorithm| read.as_ref().is_some_and(|all| all.contains(&algorithm));
    match (&read, has(Algorithm::EdDsa), has(Algorithm::Es256)) {
        (Some(_), true, true) => Some(BOTH),
        (Some(_), true, false) => Some(&[Algorithm::EdDsa]),
        (Some(_), false, true) => Some(&[Algorithm::Es256]),
        _ => {
            object.wrong(
                "algorithms",
                "must be a list of EdDSA and ES256, with one at least",
            );
            None
        }
    }
}

fn transit(object: &Object<'_>) -> Option<TransitSettings> {
    let base_url = object.server("baseUrl", plain(object));
    let token = object.secret("token");
    let mount = object.optional_text("mount").unwrap_or("transit");
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte);
    let is_mount = mount.bytes().all(known) && mount.split('/').all(|part| !part.is_empty());
    if !is_mount {
        object.wrong("mount", "must be a path such as transit or team/transit");
    }
    let namespace = object.optional_text("namespace").map(str::to_owned);
    let ca_file = object.optional_text("caFile").map(Into::into);
    Some(TransitSettings {
        base_url: base_url?,
        mount: mount.to_owned(),
        token: token?,
        namespace,
        tls: TlsFiles {
            ca_file,
            client: None,
        },
    })
}
