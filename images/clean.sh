#!/usr/bin/env bash
# Undo `make up`, and remove the images, .venv and all downloads. Packages that apt installed stay.
. "$(dirname "$0")/lib.sh"

images/lab.sh clean
if has dockerd && is_root && [ -e "$RUN/engine.used" ] && ! engine_answers; then
    images/engine.sh up # only an engine can remove images
fi

images/stack.sh down
if engine_answers; then
    step "removing the images" images/build.sh down
fi
images/engine.sh down
rm -rf .venv .run images/wheels images/stub/wheels build ./*.egg-info
rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
