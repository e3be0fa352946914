"""Content-Security-Policy of the pages: what their scripts, styles and frames may be."""

from __future__ import annotations

from typing import Any

from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE

# Themes set styles on elements; scripts are files of ours.
DIRECTIVES: dict[str, Any] = {
    "default-src": [SELF],
    "script-src": [SELF, NONCE],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
    "font-src": [SELF, "data:"],
    "connect-src": [SELF],
    "object-src": [NONE],
    "base-uri": [SELF],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
}
# The admin's theme computes its expressions (Alpine.js); no other page may (difyproj.tiers.pages).
ADMIN_DIRECTIVES: dict[str, Any] = {"script-src": [UNSAFE_EVAL]}
CONTENT_SECURITY_POLICY: dict[str, Any] = {"DIRECTIVES": DIRECTIVES}
