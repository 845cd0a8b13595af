// Shows /openapi.json with the reference that script/bootstrap puts beside this file. Everything that would
// talk to another host (fonts, proxy, telemetry, assistants, hosted client) is switched off.
"use strict";

const notice = document.getElementById("notice");

if (window.Scalar) {
  window.Scalar.createApiReference("#reference", {
    url: "/openapi.json",
    theme: "default",
    withDefaultFonts: false,
    telemetry: false,
    proxyUrl: "",
    agent: { disabled: true },
    mcp: { disabled: true },
    hideClientButton: true,
    showDeveloperTools: "never",
    persistAuth: false,
    documentDownloadType: "json",
    defaultHttpClient: { targetKey: "shell", clientKey: "curl" },
    orderSchemaPropertiesBy: "preserve",
  });
  notice.remove();
} else {
  notice.textContent =
    "The reference could not be loaded. The description itself is at /openapi.json.";
}
