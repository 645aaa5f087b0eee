// Builds shared/web/static from shared/web/frontend and pinned packages. No network.
// Usage: npm run build
import { createRequire } from "node:module";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as sass from "sass";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "static");
const require = createRequire(import.meta.url);
const govuk = join(dirname(require.resolve("govuk-frontend/package.json")), "dist", "govuk");
const fonts = (name) => join(dirname(require.resolve(`@fontsource-variable/${name}/package.json`)));

// First what can fail, so that a mistake leaves the last build in place.
const { css } = sass.compile(join(here, "portal.scss"), {
  style: "compressed",
  loadPaths: [join(govuk, "..", "..", "..")],
  quietDeps: true,
});

// Fonts are kept by browsers for a year, so their names carry the package's version.
const faces = {
  "source-sans-3": ["source-sans-3", "latin-wght-normal"],
  "source-sans-3-italic": ["source-sans-3", "latin-wght-italic"],
  "source-sans-3-ext": ["source-sans-3", "latin-ext-wght-normal"],
  "source-serif-4": ["source-serif-4", "latin-opsz-normal"],
  "source-serif-4-ext": ["source-serif-4", "latin-ext-opsz-normal"],
};
const versioned = (name) => {
  const [face, cut] = faces[name];
  const { version } = require(`@fontsource-variable/${face}/package.json`);
  copyFileSync(
    join(fonts(face), "files", `${face}-${cut}.woff2`),
    join(out, "fonts", `${name}-${version}.woff2`),
  );
  return `fonts/${name}-${version}.woff2`;
};

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, "fonts"), { recursive: true });
writeFileSync(
  join(out, "portal.css"),
  css.replace(/fonts\/([a-z0-9-]+)\.woff2/g, (_, name) => versioned(name)),
);

// One hand-kept stylesheet: comments and indentation are for us, not for the wire.
const viewer = readFileSync(join(here, "viewer.css"), "utf8")
  .replace(/\/\*[\s\S]*?\*\//g, "")
  .replace(/\s*\n\s*/g, "")
  .replace(/\s*([{};,])\s*/g, "$1")
  .replace(/;}/g, "}");
writeFileSync(join(out, "viewer.css"), viewer);

const { version } = require("govuk-frontend/package.json");
const script = readFileSync(join(here, "portal.js"), "utf8");
writeFileSync(
  join(out, "portal.js"),
  script.replace("govuk-frontend.min.js", `govuk-frontend.min.js?v=${version}`),
);
copyFileSync(join(govuk, "govuk-frontend.min.js"), join(out, "govuk-frontend.min.js"));
for (const name of ["viewer.js", "wordmark.svg", "favicon.svg"])
  copyFileSync(join(here, name), join(out, name));

copyFileSync(
  join(fonts("source-sans-3"), "LICENSE"),
  join(out, "fonts", "LICENSE-source-sans-3.txt"),
);
copyFileSync(
  join(fonts("source-serif-4"), "LICENSE"),
  join(out, "fonts", "LICENSE-source-serif-4.txt"),
);
