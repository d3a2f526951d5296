"""The words that may stand beside a finding where a short text says that it is there; English and Chinese.

Every other word makes the text doubtful: whether it negates, asks, disputes, or tells of the past or of somebody else,
only its reader knows. It knows neither names of classes nor how a text is taken apart.
"""

import re

from node.domain.label_words import MENTION

_ENGLISH_WORDS = """
    a an and the of in on at to with also both as well is are was there this these
    left right bilateral unilateral l r rt lt side sided upper middle lower mid apical apex apices basal basilar base
    bases lobe lobes lobar lobular lung lungs zone zones field fields segment segments segmental subsegmental lingula
    lingular hilar perihilar suprahilar infrahilar retrocardiac peripheral central paracardiac costophrenic anterior
    posterior lateral medial superior inferior subpleural chest pulmonary airspace rll rml rul lll lul lml
    film image images view radiograph x-ray cxr
    acute new definite definitely clearly evident obvious marked marks mild moderate severe extensive large small
    diffuse focal multifocal patchy confluent dense early subtle minimal
    bacterial viral covid covid-19 community acquired hospital aspiration atypical bronchial round necrotizing
    necrotising mycoplasma pneumococcal confirmed confirms positive present seen visible noted shows show showing
    demonstrates demonstrating consistent compatible keeping diagnostic impression conclusion finding findings
    has have yes evidence sign signs
    air bronchogram bronchograms consolidation consolidations opacity opacities opacification infiltrate infiltrates
    infiltration effusion effusions pleural pneumothorax atelectasis cavitation cavity abscess nodule nodules mass edema
    oedema cardiomegaly fracture ground glass ground-glass haze haziness silhouette tuberculosis emphysema fibrosis
    no not without nothing none
"""
_ENGLISH = frozenset(_ENGLISH_WORDS.split())

_CHINESE = (
    *(
        "右",
        "左",
        "双",
        "两",
        "侧",
        "肺",
        "上",
        "中",
        "下",
        "叶",
        "尖",
        "底",
        "基底",
        "门",
        "野",
        "区",
        "段",
        "舌",
        "前",
    ),
    *(
        "外带",
        "内带",
        "外侧",
        "内侧",
        "后段",
        "后基底",
        "胸",
        "胸部",
        "胸腔",
        "心影",
        "支气管",
        "小叶",
        "大叶",
        "节段",
        "背",
        "片",
        "所",
    ),
    *(
        "轻度",
        "中度",
        "重度",
        "轻",
        "重",
        "少许",
        "少量",
        "大量",
        "多发",
        "散在",
        "弥漫",
        "局限",
        "广泛",
        "急性",
        "新发",
    ),
    *(
        "明确",
        "确诊",
        "明显",
        "见",
        "可见",
        "示",
        "显示",
        "提示",
        "符合",
        "有",
        "存在",
        "阳性",
        "诊断",
        "为",
        "是",
        "征象",
    ),
    *("表现", "影像", "改变", "伴", "合并", "并", "及", "和", "与", "、", "的", "性", "部"),
    *("社区获得性", "医院获得性", "细菌性", "病毒性", "新冠", "新型冠状病毒", "吸入性", "典型", "非典型", "支原体"),
    *(
        "积液",
        "气胸",
        "实变",
        "渗出",
        "斑片",
        "斑片影",
        "片状",
        "影",
        "磨玻璃",
        "结节",
        "肿块",
        "肺不张",
        "空洞",
        "脓肿",
    ),
    *(
        "肺气肿",
        "肺结核",
        "充气征",
        "支气管充气征",
        "空气",
        "炎症",
        "感染",
        "骨折",
        "肺水肿",
        "纹理",
        "增多",
        "增粗",
        "模糊",
    ),
    *("未见", "无", "没有", "未发现", "不"),
)

_HAN = re.compile("|".join(sorted(map(re.escape, _CHINESE), key=len, reverse=True)))
_LATIN = re.compile(r"[a-z0-9]+(?:[-/][a-z0-9]+)*")
_MARKS = re.compile(rf"(?<=\w|{MENTION}|\)) ?- ?(?=\w|{MENTION})|(?<={MENTION})\+$|[\s:,.;。!()\[\]\"'{MENTION}]")
_NEITHER = re.compile(r"((?<![a-z])(?:no|without) (?:[a-z]+ ){1,3})or (?=[a-z])")
_LIKENESS = re.compile(rf"{MENTION}\s*(?:性|影)|(?<![a-z])(?:un|non)[ -]")


def is_known(text: str) -> bool:
    """Return whether a text, its findings replaced by `MENTION`, holds known words alone."""
    if _LIKENESS.search(text):
        return False
    text = _NEITHER.sub(r"\1", text)
    rest = _LATIN.sub(lambda match: "a" if _is_word(match[0]) else match[0], text)
    rest = _LATIN.sub(lambda match: "" if _is_word(match[0]) else match[0], _MARKS.sub(" ", rest))
    return not _HAN.sub("", rest).strip()


def _is_word(word: str) -> bool:
    return word in _ENGLISH or all(part in _ENGLISH for part in re.split("[-/]", word))
