"""The words by which a short text says that a finding is there, is not there, or is in doubt; English and Chinese.

Patterns are matched in text that is NFKC-normalised and casefolded. What a word does not cover is read as plain words,
and `label_known` says beside which of them a finding is there; all others make a doubt.

References
----------
Chapman et al., A simple algorithm for identifying negated findings (NegEx), J Biomed Inform 2001; Harkema et al.,
ConText, J Biomed Inform 2009: cues before and after a term, cues that only look like negation, and where they end.
"""

import re

SHIPPED_ALIASES: dict[str, tuple[str, ...]] = {
    "pneumonia": (
        *("pneumonia", "pneumonias", "bronchopneumonia", "pneumonic infiltrate", "pneumonic consolidation"),
        *("肺炎", "肺部感染", "肺感染", "肺部炎症"),
    ),
}
"""What readers call each class, beside its own name."""

SHIPPED_CODES: dict[str, tuple[str, ...]] = {
    "pneumonia": (
        "SCT:233604007",  # Pneumonia
        *("SCT:53084003", "SCT:75570004", "SCT:385093006"),  # bacterial, viral, community acquired
        "SRT:DD-16000",  # Pneumonia, in the scheme before
        *("ICD10:J18.9", "I10:J18.9", "ICD11:CA40", "RADLEX:RID5350"),
    ),
}
"""The codes of each class, as scheme and value."""

NOT_THE_FINDING: tuple[str, ...] = (
    *("pneumonia vaccine", "pneumonia vaccination", "pneumonia vaccines"),
    *("肺炎疫苗", "肺炎球菌", "肺炎链球菌", "肺炎支原体", "肺炎衣原体", "肺炎克雷伯"),
)
"""Names that hold the name of a finding and are another thing: vaccines and germs."""


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


def _words(text: str) -> str:
    """Return a pattern for any of these English words, alone."""
    return rf"(?<![a-z0-9])(?:{'|'.join(text.split())})(?![a-z0-9])"


MENTION = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands where the finding stood, while the words around it are looked at."""

DOUBT = _any(
    _words("possible possibly probable probably likely unlikely suspect suspects suspected suspicious suspicion"),
    _words("suggest suggests suggesting suggestive may might maybe could would can cannot cant consider considered"),
    _words("questionable question query equivocal indeterminate undetermined uncertain unclear doubtful borderline"),
    _words("differential ddx dd versus vs if unless perhaps presumed presumptive apparent apparently think believe"),
    _words("favor favour favored favoured concerning worrisome represent represents incompletely partly partially"),
    _words("exclude excludes excluding fail fails failed"),
    r"n't(?![a-z])|(?<![a-z])typical (?:for|of)|(?<![a-z])(?:rather than|instead of)",
    r"(?<![a-z0-9])(?:r/o|r\.o\.|s/p|h/o|s/o|rule[ -]out|to rule|and/or|follow[ -]?up|(?:in|un)distinguishable)",
    r"(?<![a-z])(?:not|be|being) (?:\w+ ){0,2}?(?:excluded|ruled out|rule out)",
    _words("history hx pmh previous previously prior old resolved resolving resolution treated post after before"),
    _words("risk healed former earlier recurrent interval improving improved worsening comparison compared"),
    _words("no|not|without") + r" (?:significant |interval |appreciable |obvious )*(?:change|increase|decrease|improv"
    r"\w*|progress\w*|worsening|resolution|difference|doubt|question|longer|only|more|other)(?![a-z])",
    _words("except excepting besides other"),
    _words(
        "sem nao não sans ohne kein keine senza sin geen ingen utan"
    ),  # negations of languages that it does not read
    _words("hardly improbable doubt"),
    r"(?<![a-z])low (?:probability|likelihood|suspicion)|^\s*(?:is|are|was|were|does|has|have|had|any)(?![a-z])",
    r"\?",
    *("可能", "疑", "考虑", "待排", "待查", "待除", "待定", "待诊", "排除", "除外", "倾向", "不确定", "不明确", "似"),
    *("请结合", "建议", "鉴别", "排查", "既往", "病史", "曾", "吸收", "治疗后", "陈旧", "复查", "随访", "好转", "较前"),
    *(
        "变化",
        "预防",
        "风险",
        "或许",
        "痊愈",
        "治愈",
        "恢复期",
        "消散",
        "史",
        "缺乏",
        "不足",
        "有无",
        "有没有",
        "是否",
        "是不是",
        "有否",
        rf"{MENTION}后(?!段|基底|叶)",
    ),
)
"""In doubt, of the past, or of change: nothing is labelled by it."""

OTHER_DISEASE = _any(
    _words("organizing organising interstitial eosinophilic lipoid hypersensitivity radiation mimic mimics mimicking"),
    *("间质性", "机化性", "嗜酸", "过敏性", "放射性", "类脂"),
)
"""Beside the name of a finding: the name of another disease, which is in doubt whether it is affirmed or negated."""

DISPUTED = _any(
    _words(
        "ai a\\.i\\. cad algorithm software disagree disagrees disagreed agree agrees wrong wrongly incorrect error"
    ),
    _words("overcall overcalled overcalls overread misread mislabel mislabelled mislabeled miscalled misdiagnosed"),
    _words("reject rejects rejected mistake mistaken"),
    r"(?<![a-z])false[ -](?:positive|negative|alarm|call)|[✗✘✕✖❌☒~]|×(?!\s*\d)|!(?=[^\s!.])",
    *("误报", "误诊", "误判", "误读", "假阳性", "假阴性", "错误", "不同意", "不认同", "人工智能"),
)
"""Anywhere in a text: it may answer what somebody else said, and nothing in it is taken by itself."""

SURELY_EXCLUDED = _any(
    r"(?<!not )(?<!be )(?<!being )(?:(?:has|have) been |is |was |are )?(?<!not )(?:excluded|ruled out)(?![a-z])",
    *("已排除", "已除外", "已经排除", "已经除外", "排除了", "除外了"),
)
"""What looks like doubt and is a negation."""

NEGATION_BEFORE = _any(
    _words("no not without non negative neg nil free absence absent none neither nor never lacks lack lacking denies"),
    r"(?<![a-z])(?:w/o|clear of)(?![a-z])",
    *(
        "未见",
        "未发现",
        "未显示",
        "未提示",
        "未闻及",
        "未查见",
        "没有",
        "没见",
        "并非",
        "不是",
        "否认",
        "不符合",
        "不支持",
    ),
    *("无(?!症状|菌|创|痛|热|法|论|数|关)", "非(?!典型|常|特异)"),
)
"""Before the finding, in the same clause: it is not there."""

NEGATION_AFTER = _any(
    r"^[ :=\-]*(?:is |are |was |were )?(?:no|none|not present|not seen|not evident|not identified|not detected|absent"
    r"|negative|neg|false|\(-\)|[:=] ?0|[:=] ?n)\.?$",
    r"^[ :=]*(?:不存在|阴性|\(-\)|未见|无|否|没有|不成立)$",
)
"""After the finding, and nothing else after it: it is not there."""

AFFIRMATION_AFTER = _any(
    r"^[ :=\-]*(?:is |are |was |were )?(?:yes|present|seen|evident|identified|detected|positive|pos|true|\(\+\)|[:=] ?1"
    r"|[:=] ?y)\.?$",
    r"^[ :=]*(?:存在|阳性|\(\+\)|有|是|成立)$",
)
"""After the finding, and nothing else after it: it is there."""

OTHER_NEGATION = _any(
    _words("no not without non negative absence absent none neither nor never nothing nil zero false 0"),
    *("未", "无", "没", "不(?!张)", "非(?!典型)", "否", "阴性", r"\(-\)", r"-$"),
)
"""Any word that negates something, wherever it stands."""

FILLERS = _any(
    _words("it this that the is are was were seen present evident there here visible identified detected found really"),
    _words("finding findings evidence sign signs"),
    *("明显", "明确", "存在", "成立", "可见", "有", "是", "见", "的"),
)
"""Beside a negation or a doubt in a clause of its own: it still answers the clause before."""

ANSWERED = re.compile(rf"{MENTION}[ :=\-]*(?:true|\(\+\)|[:=] ?[1y]|1)(?=[,.]|$)")
"""A finding, in its place `MENTION`, and that it is there."""

AFFIRMATION_BEFORE = _any(
    _words("there shows show showing demonstrates demonstrating positive with seen has have known confirmed definite"),
    *("可见", "见", "示", "有", "存在", "阳性", "符合", "提示"),
)
"""Begins something new after a comma: what was negated before does not reach it."""

SENTENCE_ENDS = re.compile(
    r"[.;。!\n\r]+(?=\s|$|[^0-9])|(?<![a-z])(?:but|however|although|yet)(?![a-z])|但是|但|然而|而"
)
"""Where a negation ends for certain."""

COMMAS = re.compile(r",")
"""Where it may end, or go on as in a list."""

JOINED = re.compile(
    r"(?<![a-z])(?:and|with|plus|in|within|due|from|by|despite|on|at|because|causing|complicating)(?![a-z])"
    r"|&|\+|伴|合并|并"
)
"""Between a negation and a finding: whether the negation reaches it, nobody can tell."""

CHOICE = re.compile(r"(?<![a-z])(?:or)(?![a-z])|或")
"""One of several: in doubt, unless all of them are negated."""
