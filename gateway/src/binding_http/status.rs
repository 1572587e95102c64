//! `ActionStatus` as JSON (WoT Profile, HTTP Basic, section on invokeaction).

use serde_json::{Map, Value};

use super::problem::Problem;
use crate::exposed_thing::{ActionState, ActionStatus};
use crate::utc::Rfc3339;

/// The URL of the status, `base` being the Thing's.
pub(crate) fn href(status: &ActionStatus, base: &str) -> String {
    format!("{base}/actions/{}/{}", status.name, status.id)
}

/// The document.
pub(crate) fn to_json(status: &ActionStatus, base: &str) -> Value {
    let word = match status.state {
        ActionState::Pending => "pending",
        ActionState::Running => "running",
        ActionState::Completed => "completed",
        ActionState::Failed => "failed",
    };
    let href = href(status, base);
    let mut document = Map::new();
    document.insert("status".into(), word.into());
    if let Some(progress) = &status.progress {
        document.insert("progress".into(), progress.clone());
    }
    if let Some(output) = &status.output {
        document.insert("output".into(), output.clone());
    }
    if let Some(error) = &status.error {
        document.insert("error".into(), Problem::from(&**error).to_json(Some(&href)));
    }
    document.insert("href".into(), href.into());
    document.insert("timeRequested".into(), Rfc3339(status.requested).to_string().into());
    if let Some(ended) = status.ended {
        document.insert("timeEnded".into(), Rfc3339(ended).to_string().into());
    }
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interaction::InteractionError;
    use serde_json::json;
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};
    use uuid::Uuid;

    #[test]
    fn a_failed_invocation_carries_its_problem() {
        let status = ActionStatus {
            id: Uuid::nil(),
            name: Arc::from("pulse"),
            state: ActionState::Failed,
            progress: None,
            output: None,
            error: Some(Arc::new(InteractionError::HandlerReplaced)),
            requested: UNIX_EPOCH,
            ended: Some(UNIX_EPOCH + Duration::from_secs(1)),
        };
        let href = "http://h/things/t/actions/pulse/00000000-0000-0000-0000-000000000000";
        let expected = json!({
            "status": "failed",
            "error": {
                "type": "urn:tidegate:problem:handler-replaced", "title": "The handler was replaced", "status": 500,
                "detail": "the handler was replaced while this action ran", "instance": href,
            },
            "href": href, "timeRequested": "1970-01-01T00:00:00.000Z", "timeEnded": "1970-01-01T00:00:01.000Z",
        });
        assert_eq!(to_json(&status, "http://h/things/t"), expected);
    }
}
