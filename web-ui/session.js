// Signing in and out: the one thing of this page that is no part of the Web of Things.

const SESSION = "/session";

/** `{tokenNeeded, signedIn, readable}`; `readable`: others can read along, because the connection is not encrypted. */
export async function standing() {
  return (await fetch(SESSION)).json();
}

/** Signs in; throws with the gateway's sentence if it does not take the token. */
export async function signIn(token) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(SESSION, { method: "POST", headers, body: JSON.stringify({ token }) });
  if (response.ok) return;
  const problem = await response.json().catch(() => ({}));
  const wait = response.headers.get("retry-after");
  if (response.status === 401) throw new Error("This is not the token.");
  throw new Error(wait ? `${problem.detail}; try again in ${wait} s` : (problem.detail ?? response.statusText));
}

export async function signOut() {
  await fetch(SESSION, { method: "DELETE" });
}
