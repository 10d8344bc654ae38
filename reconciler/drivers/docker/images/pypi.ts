/** PyPI projects in containers. */
import type { Recipe } from './recipe.ts';

/**
 * Wheels only: building a source distribution runs its code with whatever the build can reach. The base image's pip
 * installs; the servers get none.
 */
const DOCKERFILE = `ARG BASE
FROM \${BASE} AS packages
USER 0
ARG OWNER
ARG BUILD
LABEL slipway.managed=true slipway.owner=\${OWNER} slipway.build=\${BUILD}
WORKDIR /opt/build
RUN ["python3", "-m", "venv", "--without-pip", "/opt/slipway"]
COPY ca.pem /tmp/
COPY requirements.txt program.json link.py ./
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_DEFAULT_TIMEOUT
ARG PIP_CERT
RUN ["python3", "-m", "pip", "--python=/opt/slipway/bin/python", "install", "--no-cache-dir", "--no-input", "--disable-pip-version-check", "--quiet", "--only-binary=:all:", "--requirement=requirements.txt"]
RUN ["/opt/slipway/bin/python", "link.py"]

FROM \${BASE}
COPY --from=packages /opt/slipway /opt/slipway
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["/opt/slipway/program"]
`;

/** As uvx does: the program asked for, else the one with the project's name. */
const LINK = `import json, os, sys
from importlib.metadata import distribution

program = json.load(open("program.json"))
name, bin = program["name"], program.get("bin", program["name"])
scripts = [entry.name for entry in distribution(name).entry_points if entry.group == "console_scripts"]
target = os.path.join("/opt/slipway/bin", bin)
if not os.path.exists(target):
    known = "it has " + ", ".join(sorted(scripts)) if scripts else "it has none"
    sys.exit(f"{name}=={program['version']} has no program {bin}: {known}.")
os.symlink(target, "/opt/slipway/program")
`;

export const pypiRecipe: Recipe = {
  base: 'docker.io/library/python:3.13-slim',
  dockerfile: DOCKERFILE,
  revision: 1,
  settings: ['PIP_INDEX_URL', 'PIP_EXTRA_INDEX_URL', 'PIP_TRUSTED_HOST', 'PIP_DEFAULT_TIMEOUT'],
  authorities: 'PIP_CERT',
  files: ({ name, version, bin }) => ({
    'requirements.txt': `${name}==${version}\n`,
    'program.json': JSON.stringify({ name, version, bin }),
    'link.py': LINK,
  }),
};
