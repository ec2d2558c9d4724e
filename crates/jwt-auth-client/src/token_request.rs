//! Which token is wanted.

/// Which token is wanted. Two requests with the same scopes, in whatever order, want the same token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TokenRequest {
    scopes: Vec<String>,
    resource: Option<String>,
}

impl TokenRequest {
    /// Asks for scopes, separated by blanks (RFC 6749, section 3.3). Without one, the server decides.
    #[must_use]
    pub fn scope(mut self, scope: &str) -> Self {
        let scopes = scope.split(' ').filter(|it| !it.is_empty());
        self.scopes.extend(scopes.map(str::to_owned));
        self.scopes.sort_unstable();
        self.scopes.dedup();
        self
    }

    /// Says for which service the token is (RFC 8707).
    #[must_use]
    pub fn resource(self, resource: &str) -> Self {
        let resource = Some(resource.to_owned());
        Self { resource, ..self }
    }

    /// The parameters of the form.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let scope = (!self.scopes.is_empty()).then(|| ("scope", self.scopes.join(" ")));
        let resource = self.resource.clone().map(|it| ("resource", it));
        scope.into_iter().chain(resource)
    }
}
