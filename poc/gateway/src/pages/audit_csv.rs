//! The audit as CSV (RFC 4180), for spreadsheets.

use accounts::private_api::AuditEntry;

use crate::pages::moment::rfc3339;

const HEAD: &str = "at,actor,action,subject,peer,outcome,reason,request_id,address\r\n";

/// What makes a spreadsheet take a cell for a formula.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// Writes rows of the audit as CSV: a line of names, then one line for each row, each ended by CRLF.
///
/// A cell that a spreadsheet would take for a formula gets an apostrophe before it.
pub fn audit_csv(rows: &[AuditEntry]) -> String {
    let mut csv = HEAD.to_owned();
    for row in rows {
        csv.push_str(&line(row));
    }
    csv
}

fn line(row: &AuditEntry) -> String {
    let at = rfc3339(row.at_ms);
    let optional = |value: &Option<String>| cell(value.as_deref().unwrap_or_default());
    let cells = [
        cell(&at),
        cell(&row.actor),
        cell(&row.action),
        cell(&row.subject),
        optional(&row.peer),
        cell(&row.outcome),
        optional(&row.reason),
        optional(&row.request_id),
        optional(&row.address),
    ];
    format!("{}\r\n", cells.join(","))
}

fn cell(value: &str) -> String {
    let apostrophe = if value.starts_with(FORMULA) { "'" } else { "" };
    if value.contains(['"', ',', '\r', '\n']) {
        format!("\"{apostrophe}{}\"", value.replace('"', "\"\""))
    } else {
        format!("{apostrophe}{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_line() {
        let row = AuditEntry {
            at_ms: 1_796_092_205_120,
            actor: "ada@example.org".to_owned(),
            action: "ensure".to_owned(),
            subject: "billing".to_owned(),
            outcome: "done".to_owned(),
            peer: Some("authority".to_owned()),
            ..AuditEntry::default()
        };
        let csv = audit_csv(&[row]);
        assert_eq!(
            csv.lines().collect::<Vec<_>>(),
            [
                HEAD.trim_end(),
                "2026-12-01T02:30:05.120Z,ada@example.org,ensure,billing,authority,done,,,"
            ]
        );
        assert!(csv.ends_with("\r\n"));
        assert_eq!(audit_csv(&[]), HEAD);
    }

    #[test]
    fn quotes_commas_and_lines_stay_in_their_cell() {
        for (value, written) in [
            ("", ""),
            ("plain text", "plain text"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
        ] {
            assert_eq!(cell(value), written);
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        for (value, written) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("\n=1", "\"'\n=1\""),
            ("=a(\"x\",1)", "\"'=a(\"\"x\"\",1)\""),
            ("a=1", "a=1"),
        ] {
            assert_eq!(cell(value), written);
        }
    }
}
