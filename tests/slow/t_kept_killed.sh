#!/usr/bin/env bash
# tests/e2e/t_kept.sh with twenty kills.
KILL_ROUNDS=20 exec bash tests/e2e/t_kept.sh
