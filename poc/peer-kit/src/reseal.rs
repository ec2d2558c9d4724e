//! What `secrets reseal` has done, in words.

use std::fmt;

/// All columns that hold sealed values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// In the order they were gone through.
    pub columns: Vec<ResealedColumn>,
}

/// One column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResealedColumn {
    /// As `table.column`.
    pub column: String,
    /// Sealed with the first key now, and not before.
    pub resealed: u64,
    /// Sealed with it already.
    pub fresh: u64,
    /// Changed by a peer again and again meanwhile.
    pub overtaken: u64,
    /// Not to be opened with any key.
    pub unreadable: u64,
    /// The first of those: the row, and why.
    pub unreadable_rows: Vec<(String, String)>,
}

impl Resealed {
    /// Tells whether the older keys are needed no longer.
    pub fn is_complete(&self) -> bool {
        self.columns
            .iter()
            .all(|column| column.unreadable == 0 && column.overtaken == 0)
    }
}

impl fmt::Display for Resealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ResealedColumn {
            column,
            resealed,
            fresh,
            overtaken,
            unreadable,
            unreadable_rows,
        } in &self.columns
        {
            write!(
                f,
                "{column}: {resealed} sealed anew, {fresh} already, {unreadable} unreadable"
            )?;
            if *overtaken > 0 {
                write!(f, ", {overtaken} changed meanwhile")?;
            }
            writeln!(f)?;
            for (row, reason) in unreadable_rows {
                // A row that was written by hand may be named by anything.
                writeln!(f, "  unreadable: {}: {reason}", row.escape_debug())?;
            }
        }
        f.write_str(match self.is_complete() {
            true => {
                "every value is under the first key; the older ones can be taken out of SECRETS_KEY"
            }
            false => {
                "not complete: keep the older keys, mend what is unreadable, and run this again"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_rows_and_says_what_comes_next() {
        let column = ResealedColumn {
            column: "hmac_credential.secret_hash".to_owned(),
            resealed: 3,
            fresh: 1,
            ..ResealedColumn::default()
        };
        let whole = Resealed {
            columns: vec![column.clone()],
        };
        assert_eq!(
            whole.to_string(),
            "hmac_credential.secret_hash: 3 sealed anew, 1 already, 0 unreadable\n\
             every value is under the first key; the older ones can be taken out of SECRETS_KEY"
        );
        let rows = vec![("http/a\nb".to_owned(), "not a sealed value".to_owned())];
        let broken = ResealedColumn {
            overtaken: 2,
            unreadable: 1,
            unreadable_rows: rows,
            ..column
        };
        assert_eq!(
            Resealed {
                columns: vec![broken]
            }
            .to_string(),
            "hmac_credential.secret_hash: 3 sealed anew, 1 already, 1 unreadable, 2 changed meanwhile\n  \
             unreadable: http/a\\nb: not a sealed value\n\
             not complete: keep the older keys, mend what is unreadable, and run this again"
        );
    }
}
