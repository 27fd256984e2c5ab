# SPDX-License-Identifier: BSD-3-Clause
"""Turn Joyride's specs (codegen/spec) into C, libc stubs and reference tables.

Every emit runs the same way: read the YAML (source), check it against its JSON Schema (schema), build
dataclasses and check what a schema can't (counters, fsm, abi, calls), render text (render, templates/).
"""
