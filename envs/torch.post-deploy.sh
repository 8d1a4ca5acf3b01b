#!/usr/bin/env bash
# Its metadata asks for torch < 2.3; it works with the one pinned here.
set -euo pipefail
pip install --no-deps facenet-pytorch==2.6.0
