// A browser with a virtual authenticator, for the test that starts this: it reads one command per line, as JSON,
// and answers each with a line, {"answer": ...} or {"error": "..."}. It ends with its input.
//
// usage: node passkeys.mjs BASE_URL CHROMIUM PROFILE_FOLDER
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [base, executablePath, profile] = process.argv.slice(2);
const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const page = context.pages()[0] ?? (await context.newPage());
const devtools = await context.newCDPSession(page);
await devtools.send("WebAuthn.enable");
const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", {
  options: {
    protocol: "ctap2",
    transport: "internal",
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  },
});
await page.goto(base);

const commands = {
  // As a script of the page asks: with the browser's cookies.
  fetch: ({ method, path, body }) =>
    page.evaluate(
      async ([method, path, body]) => {
        const headers = body === null ? {} : { "content-type": "application/json" };
        const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
        const text = await response.text();
        return { status: response.status, json: text ? JSON.parse(text) : null };
      },
      [method, path, body ?? null],
    ),
  create: ({ options }) =>
    page.evaluate(async (options) => {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey);
      return (await navigator.credentials.create({ publicKey })).toJSON();
    }, options),
  get: ({ options }) =>
    page.evaluate(async (options) => {
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey);
      return (await navigator.credentials.get({ publicKey })).toJSON();
    }, options),
  // The cookies the browser has, or one more.
  cookies: () => context.cookies(base),
  cookie: ({ name, value }) =>
    context.addCookies([{ name, value, url: base, httpOnly: true, sameSite: "Lax" }]),
  forget_cookies: () => context.clearCookies(),
  // Whether the authenticator finds that it is held by its owner.
  set_verified: ({ verified }) =>
    devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: verified }),
  // The authenticator's keys get this counter, as an old copy of it would have.
  set_counter: async ({ counter }) => {
    const { credentials } = await devtools.send("WebAuthn.getCredentials", { authenticatorId });
    for (const credential of credentials) {
      const { credentialId } = credential;
      await devtools.send("WebAuthn.removeCredential", { authenticatorId, credentialId });
      await devtools.send("WebAuthn.addCredential", {
        authenticatorId,
        credential: { ...credential, signCount: counter },
      });
    }
    return credentials.length;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let reply;
  try {
    reply = { answer: (await commands[command.do](command)) ?? null };
  } catch (error) {
    reply = { error: String(error) };
  }
  console.log(JSON.stringify(reply));
}
await context.close();
