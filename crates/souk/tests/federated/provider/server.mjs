// A real OpenID provider (npm's oidc-provider) for the tests of logins elsewhere. Its pages are the package's own.
//
// One argument: {"port": 0, "callbacks": {"souk": [...], "apple": [...]}, "in_token": false}. When it is ready it prints
// one line: {"issuer": "...", "apple_key": "<PEM>"}. It ends when its standard input does, so that none outlives a test.
//
//   PUT /test/accounts  {"ada": {"email": ..., "email_verified": ..., "name": ...}}: who there is
//   PUT /test/claims    {"nonce": "..."}: claims that the next ID token has in place of the true ones, well signed;
//                       with "_signed_by" otherwise signed; with "_profile_of" the next profile is somebody else's
import { createSecretKey } from "node:crypto";
import { createServer } from "node:http";
import {
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  exportPKCS8,
  generateKeyPair,
  importJWK,
  jwtVerify,
  SignJWT,
  UnsecuredJWT,
} from "jose";
import Provider from "oidc-provider";

const options = JSON.parse(process.argv[2]);
let accounts = {};
let claims = null;

const signing = await generateKeyPair("RS256", { extractable: true });
const key = { ...(await exportJWK(signing.privateKey)), kid: crypto.randomUUID(), alg: "RS256", use: "sig" };
const apple = await generateKeyPair("ES256", { extractable: true });

const server = createServer();
await new Promise((resolve) => server.listen(options.port, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const client = (id, more) => ({
  client_id: id,
  client_secret: `secret-of-${id}`,
  redirect_uris: options.callbacks[id] ?? [],
  grant_types: ["authorization_code"],
  response_types: ["code"],
  ...more,
});

const provider = new Provider(issuer, {
  clients: [
    client("souk", { token_endpoint_auth_method: "client_secret_basic" }),
    client("apple", { token_endpoint_auth_method: "client_secret_post" }),
  ],
  jwks: { keys: [key] },
  cookies: { keys: ["only for tests"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  scopes: ["openid", "email", "profile", "name"],
  // False: what is asked for by scopes stands in the ID token too, as Google and Apple have it.
  conformIdTokenClaims: !options.in_token,
  features: { devInteractions: { enabled: true } },
  pkce: { required: () => true },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
  async findAccount(_, id) {
    const account = accounts[id];
    return account && { accountId: id, claims: async () => ({ sub: id, ...account }) };
  },
});

// Apple's clients have a secret that is a token, signed with a key of the developer's.
const { compareClientSecret } = provider.Client.prototype;
provider.Client.prototype.compareClientSecret = async function compare(actual) {
  if (this.clientId !== "apple") return compareClientSecret.call(this, actual);
  const expected = { issuer: "TEAM", subject: "apple", audience: "https://appleid.apple.com", maxTokenAge: "10 min" };
  const { protectedHeader } = await jwtVerify(actual, apple.publicKey, { ...expected, algorithms: ["ES256"] });
  return protectedHeader.kid === "KEY";
};

// Puts other claims into the next ID token, signs it otherwise, or tells the profile of somebody else.
async function changed(token) {
  const { _signed_by: by, ...others } = claims;
  const { alg, kid } = decodeProtectedHeader(token);
  const payload = { ...decodeJwt(token), ...others };
  if (by === "nobody") return new UnsecuredJWT(payload).encode();
  const signer = new SignJWT(payload);
  if (by === "stranger") return signer.setProtectedHeader({ alg, kid }).sign((await generateKeyPair(alg)).privateKey);
  if (by) return signer.setProtectedHeader({ alg: "HS256" }).sign(createSecretKey(Buffer.from(by)));
  return signer.setProtectedHeader({ alg, kid }).sign(await importJWK(key, alg));
}

provider.use(async (ctx, next) => {
  await next();
  const route = claims && ctx.oidc?.route;
  if (route === "token" && ctx.body?.id_token && !claims._profile_of) {
    ctx.body = { ...ctx.body, id_token: await changed(ctx.body.id_token) };
    claims = null;
  } else if (route === "userinfo" && claims._profile_of) {
    ctx.body = { ...ctx.body, sub: claims._profile_of };
    claims = null;
  }
});

const answer = provider.callback();
server.on("request", async (request, response) => {
  if (!request.url.startsWith("/test/")) return answer(request, response);
  let body = "";
  for await (const chunk of request) body += chunk;
  if (request.url === "/test/accounts") accounts = JSON.parse(body);
  else claims = JSON.parse(body);
  return response.end();
});

process.stdin.resume().on("end", () => process.exit(0));
console.log(JSON.stringify({ issuer, apple_key: await exportPKCS8(apple.privateKey) }));
