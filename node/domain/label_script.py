"""Traditional Chinese characters of reports, folded to Simplified ones, so that one list of words reads both."""

_TRADITIONAL = (
    "無沒見發現顯懷應慮後較術複復隨訪為診斷徵變陳舊據誤報陽陰與並雙兩葉積氣檢臨錯間質機進確認實側滲結節張膿"
    "預險癒轉輕嚴廣彌狀範圍紋細區獲篩請議鑒鑑別對屬證類樣當腫體鏈過傳難損傷強點於個視臟塊漸緩減長顆種續殘歷曾"
)
_SIMPLIFIED = (
    "无没见发现显怀应虑后较术复复随访为诊断征变陈旧据误报阳阴与并双两叶积气检临错间质机进确认实侧渗结节张脓"
    "预险愈转轻严广弥状范围纹细区获筛请议鉴鉴别对属证类样当肿体链过传难损伤强点于个视脏块渐缓减长颗种续残历曾"
)

TO_SIMPLIFIED = {ord(old): new for old, new in zip(_TRADITIONAL, _SIMPLIFIED, strict=True)}
"""For `str.translate`."""
