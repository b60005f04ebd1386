"""The catalogues of sentences: one module for each language, the same keys and places in all (tests/web/test_words.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from api.web.locale import (
    acts_en,
    acts_zh_cn,
    codes_en,
    codes_zh_cn,
    console_en,
    console_zh_cn,
    customer_en,
    customer_zh_cn,
    deliveries_en,
    deliveries_zh_cn,
    en,
    reasons_en,
    reasons_zh_cn,
    zh_cn,
)

CATALOGUES: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        **en.SENTENCES,
        **codes_en.SENTENCES,
        **acts_en.SENTENCES,
        **console_en.SENTENCES,
        **deliveries_en.SENTENCES,
        **reasons_en.SENTENCES,
        **customer_en.SENTENCES,
    },
    "zh-CN": {
        **zh_cn.SENTENCES,
        **codes_zh_cn.SENTENCES,
        **acts_zh_cn.SENTENCES,
        **console_zh_cn.SENTENCES,
        **deliveries_zh_cn.SENTENCES,
        **reasons_zh_cn.SENTENCES,
        **customer_zh_cn.SENTENCES,
    },
}
DEFAULT: Final = "en"
