"""What the built-in voice can say and what it listens for, in each of its languages.

Patterns are tried on one message of bounded length; the group `name` or `words` is what they take from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Phrases:
    """One language. `{me}`, `{name}`, `{words}`, `{earlier}`, `{time}`, `{count}` are filled in."""

    tells_name: re.Pattern[str]
    no_name: re.Pattern[str]
    asks_name: re.Pattern[str]
    asks_who: re.Pattern[str]
    asks_before: re.Pattern[str]
    asks_count: re.Pattern[str]
    asks_time: re.Pattern[str]
    wants_model: re.Pattern[str]
    thanks: re.Pattern[str]
    bye: re.Pattern[str]
    help: re.Pattern[str]
    greets: re.Pattern[str]

    default_me: str
    sentence_gap: str
    comma: str
    intro: str
    who: tuple[str, ...]
    model_needed: tuple[str, ...]
    name_told: tuple[str, ...]
    name_known: tuple[str, ...]
    name_unknown: tuple[str, ...]
    before: tuple[str, ...]
    nothing_before: tuple[str, ...]
    count: tuple[str, ...]
    time: tuple[str, ...]
    time_format: str
    thanked: tuple[str, ...]
    parting: tuple[str, ...]
    helping: tuple[str, ...]
    greeting: tuple[str, ...]
    greeting_known: tuple[str, ...]
    picture: tuple[str, ...]
    silence: tuple[str, ...]
    asked: tuple[str, ...]
    heard: tuple[str, ...]
    thoughts: tuple[str, ...]
    linking: tuple[str, ...]
    follow_ups: tuple[str, ...]


def _p(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


ENGLISH = Phrases(
    tells_name=_p(
        r"\b(?:my name(?: is|'s)|call me|they call me|people call me)\s+"
        r"(?P<name>[^\W\d_][\w'’-]{0,30}(?:\s+[A-Z][\w'’-]{1,30})?)"
    ),
    no_name=_p("what|who|that|it|not"),
    asks_name=_p(
        r"\bmy name\s*\?|\b(?:what|what's|know|remember|recall|tell me)\b.{0,20}\bmy name\b|\bwho am i\b"
    ),
    asks_who=_p(
        r"\bwho (?:are|r) (?:you|u)\b|\bwhat are you\b|\byour name\b|\bare you (?:a |an |really |just )*"
        r"(?:real|human|person|robot|bot|ai|llm|model|machine|alive|chatgpt|gpt|claude|gemini)\b"
        r"|\bwhat model\b|\bwhich model\b|\bintroduce yourself\b"
    ),
    asks_before=_p(
        r"\bwhat (?:did|have|had) (?:i|we) (?:just |already )?(?:say|said|tell|told|talk|ask|mention)"
        r"|\bdo you (?:remember|recall)\b|\bwhat was i saying\b|\bsaid (?:before|earlier)\b"
    ),
    asks_count=_p(
        r"\bhow (?:many|often) (?:messages|turns|times|things|questions)\b|\bhow long have we been talking\b"
    ),
    asks_time=_p(
        r"\bwhat(?:'s| is)? (?:the )?(?:time|date|day)\b|\bwhat time\b|\bwhich day\b|\btime is it\b"
    ),
    wants_model=_p(
        r"\b(?:write|translate|summari[sz]e|calculate|solve|compose|draw|generate|program|debug|explain)\b"
    ),
    thanks=_p(r"\b(?:thanks|thank you|thx|cheers|much appreciated)\b"),
    bye=_p(r"\b(?:bye|goodbye|good night|see you|farewell|gotta go|have to go)\b"),
    help=_p(r"^\W*help\b|\bwhat can you do\b|\bhow (?:do|does) (?:you|this|it) work\b|\bhelp me\b"),
    greets=_p(r"^\W*(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day))\b"),
    default_me="your host",
    sentence_gap=" ",
    comma=", ",
    intro="I'm the built-in demo voice of Greenroom; connect a model to give me a mind of my own.",
    who=(
        "I'm {me}, spoken by the built-in demo voice of Greenroom.",
        "There is no language model behind me yet: I follow simple rules and your own words.",
        "Connect a model in the settings, and this very page will think with it.",
    ),
    model_needed=(
        "That is a task for a real language model, and I am only the built-in demo voice of Greenroom.",
        "You asked: “{words}”.",
        "Connect a model in the settings, for example one that runs on this machine, and ask me again.",
    ),
    name_told=(
        "Nice to meet you, {name}!",
        "I will remember your name for as long as we talk.",
        "What brings you here?",
    ),
    name_known=("Your name is {name}.", "You told me yourself, and I kept it in mind."),
    name_unknown=("You have not told me your name yet.", "Say “my name is …”, and I will remember it."),
    before=("A moment ago you said: “{words}”.", "That was message number {count} of our talk."),
    nothing_before=(
        "This is the first thing you have said to me.",
        "So there is nothing to look back on yet.",
    ),
    count=("You have sent me {count} messages so far, this one included.", "I count every one of them."),
    time=("My clock says {time}.", "That is the time where the server runs."),
    time_format="%H:%M on %A, %d %B %Y",
    thanked=("You are very welcome!", "It is a pleasure to talk with you."),
    parting=("Goodbye, and take care!", "I enjoyed our talk of {count} messages."),
    helping=(
        "You can just chat with me: tell me your name, ask for the time, or ask what you said before.",
        "You may interrupt me at any moment, by voice or by typing.",
        "For real answers, connect a language model in the settings.",
    ),
    greeting=("Hello, and welcome!", "I'm {me}.", "What would you like to talk about?"),
    greeting_known=("Hello again, {name}!", "What shall we talk about now?"),
    picture=(
        "Thank you for the picture!",
        "I cannot see without a model that can, but I know that it arrived.",
    ),
    silence=("It is quiet here for a moment.", "Tell me something about your day, if you like."),
    asked=(
        "You would like to know: “{words}”.",
        "So your question is: “{words}”.",
        "You are asking me: “{words}”.",
    ),
    heard=("So, you say: “{words}”.", "I hear you: “{words}”.", "You tell me: “{words}”."),
    thoughts=(
        "I find that worth a second thought.",
        "That sounds as if it matters to you.",
        "I like how you put that.",
        "There is more in that than it seems at first.",
    ),
    linking=("It reminds me of what you said before: “{earlier}”.", "Earlier you told me: “{earlier}”."),
    follow_ups=(
        "What makes you think of it now?",
        "How did it begin?",
        "What would you wish to happen next?",
        "Would you tell me a little more?",
    ),
)

CHINESE = Phrases(
    tells_name=_p(
        r"(?:我(?:的名字)?叫(?:做)?|我的名字是|我是叫|叫我)\s*(?P<name>(?!什么|啥|谁)[^\s，。！？,.!?、；吧吗呢]{1,20})"
    ),
    no_name=_p(".*(?:什么|啥|谁|起床|一下|出租车|外卖).*"),
    asks_name=_p(
        r"我(?:的名字)?(?:是)?叫什么|我的名字(?:是什么|吗|呢|\?|？)|我是谁|记得我(?:的名字|是谁|叫)"
    ),
    asks_who=_p(
        r"你(?:到底)?是(?:谁|什么)|你叫什么|你的名字|你是(?:不是)?.{0,4}(?:真人|机器人|人工智能|AI|模型|人类|GPT)"
        r"|什么模型|介绍(?:一下)?你?自己"
    ),
    asks_before=_p(
        r"(?:我|我们)(?:刚才|刚刚|之前|前面|以前|上次)?(?:都)?(?:说|讲|聊|问)(?:过|了)?(?:些)?(?:什么|啥)"
        r"|(?:刚才|刚刚|之前)(?:我)?说.{0,4}什么|还?记得.{0,8}(?:说|讲|聊)"
    ),
    asks_count=_p(r"(?:几|多少)(?:条|句|次|个)(?:消息|话|问题)?|聊了多久"),
    asks_time=_p(r"几点|什么时间|现在.{0,3}时间|今天(?:是)?(?:几号|星期几|周几|什么日子)|几月几"),
    wants_model=_p(r"写(?:一|个|首|段|篇)|翻译|总结|计算|解释|编程|代码|画(?:一|个)|解(?:一|这)道"),
    thanks=_p(r"谢谢|多谢|感谢|谢啦"),
    bye=_p(r"再见|拜拜|晚安|回头见|下次见|我走了"),
    help=_p(r"^帮助|你(?:能|会|可以)(?:做|干)?(?:些)?(?:什么|啥)|怎么用|帮帮我"),
    greets=_p(r"^\W*(?:你好|您好|嗨|哈喽|大家好|早上好|下午好|晚上好|早安|早啊|在吗|嘿)"),
    default_me="这里的主持人",
    sentence_gap="",
    comma="，",
    intro="我是Greenroom自带的演示声音，接上一个模型，我就能真正思考了。",
    who=(
        "我是{me}，说话的是Greenroom自带的演示声音。",
        "我背后还没有语言模型，只是按简单的规则和你的话来回答。",
        "在设置里接上一个模型，这个页面就会用它来思考。",
    ),
    model_needed=(
        "这件事要靠真正的语言模型，而我只是Greenroom自带的演示声音。",
        "你想让我做的是：“{words}”。",
        "请在设置里接上一个模型，比如在这台机器上运行的，然后再问我一次。",
    ),
    name_told=("很高兴认识你，{name}！", "只要我们还在聊，我就会记得你的名字。", "今天想聊什么？"),
    name_known=("你叫{name}。", "这是你亲口告诉我的，我记着呢。"),
    name_unknown=("你还没有告诉我你的名字。", "说一句“我叫……”，我就会记住。"),
    before=("刚才你说的是：“{words}”。", "那是我们聊天里的第{count}条消息。"),
    nothing_before=("这是你对我说的第一句话。", "所以暂时还没有什么可以回想的。"),
    count=("算上这一条，你一共发了{count}条消息。", "每一条我都数着呢。"),
    time=("我的时钟显示{time}。", "这是服务器所在地的时间。"),
    time_format="%Y年%m月%d日 %H:%M",
    thanked=("不用客气！", "和你聊天我很开心。"),
    parting=("再见，请多保重！", "我们聊了{count}条消息，我很开心。"),
    helping=(
        "随便和我聊吧：告诉我你的名字，问我几点了，或者问你刚才说过什么。",
        "你随时可以打断我，说话或者打字都行。",
        "想要真正的回答，请在设置里接上一个语言模型。",
    ),
    greeting=("你好，欢迎！", "我是{me}。", "你想聊点什么？"),
    greeting_known=("你好呀，{name}！", "这次我们聊点什么？"),
    picture=("谢谢你的图片！", "没有能看图的模型，我看不见它，但我知道它已经到了。"),
    silence=("这里安静了一会儿。", "愿意的话，说说你今天过得怎么样吧。"),
    asked=("你想知道的是：“{words}”。", "你的问题是：“{words}”。", "你在问我：“{words}”。"),
    heard=("你说：“{words}”。", "我听到了：“{words}”。", "你告诉我：“{words}”。"),
    thoughts=(
        "这句话值得再想一想。",
        "听起来这对你很重要。",
        "我喜欢你的说法。",
        "这里面的意思比看上去更多。",
    ),
    linking=("这让我想起你之前说的：“{earlier}”。", "之前你还说过：“{earlier}”。"),
    follow_ups=("你怎么会想到这个呢？", "这是怎么开始的？", "你希望接下来怎样？", "能再多说一点吗？"),
)

JAPANESE = Phrases(
    tells_name=_p(
        r"(?:私|僕|ぼく|俺|わたし|あたし)?(?:の名前)?[はを]?\s*"
        r"(?P<name>[^\s、。！？!?はがをの]{1,20}?)(?:と申します|といいます|と言います|って呼んで|と呼んで)"
        r"|(?:私|僕|ぼく|俺|わたし|あたし)(?:の名前)?は\s*(?P<name2>[^\s、。！？!?はがをの]{1,12}?)(?:です|だよ|だ)(?:[。！!、\s]|よ|$)"
    ),
    no_name=_p(
        ".*(?:何|なに|誰|だれ|どこ|学生|生徒|社員|先生|医者|主婦|人間|男|女|元気|大丈夫|好き|嫌い|無理|賛成|反対|[人歳才派]$).*"
    ),
    asks_name=_p(
        r"(?:私|僕|ぼく|俺|わたし)の名前(?:は|を|、|って|\?|？).{0,12}(?:何|なに|なん|覚え|知って|わか|分か)|(?:私|僕|俺|わたし)は(?:誰|だれ)"
    ),
    asks_who=_p(
        r"(?:あなた|君|きみ|お前)(?:は|って|の名前).{0,8}(?:誰|だれ|何|なに|なん|名前|人間|AI|ロボット)"
        r"|(?:誰|だれ|何者)(?:ですか|なの|だ)|(?:お)?名前は(?:何|なん|\?|？)|AIですか|人間ですか|ロボットですか|自己紹介"
    ),
    asks_before=_p(
        r"(?:さっき|前に|先ほど|以前|今まで).{0,10}(?:言|話|聞).{0,8}(?:何|なに|覚え|っけ|\?|？|か)"
        r"|(?:何|なに)(?:を|て|って)?(?:言|話)(?:った|いました|しました|し)|覚えて(?:いますか|ますか|る)"
    ),
    asks_count=_p(r"何(?:回|通|個)(?:目|話|メッセージ)?|いくつ(?:の)?(?:メッセージ|質問)|どのくらい話"),
    asks_time=_p(r"何時|時間(?:は|を|わか|教)|何日|何曜日|今日は何"),
    wants_model=_p(r"翻訳|要約|計算|説明して|書いて|プログラム|コード|解いて|作って|描いて"),
    thanks=_p(r"ありがと|感謝|サンキュー|どうも$"),
    bye=_p(r"さようなら|さよなら|バイバイ|またね|また明日|おやすみ|じゃあね|失礼します"),
    help=_p(r"^(?:ヘルプ|助けて)|何ができ|なにができ|使い方|できること"),
    greets=_p(r"^\W*(?:こんにちは|こんばんは|おはよう|やあ|はじめまして|初めまして|もしもし|ハロー|どうも)"),
    default_me="ここの案内役",
    sentence_gap="",
    comma="、",
    intro="私はGreenroomに付いているデモ用の声です。モデルをつなぐと、本当に考えられるようになります。",
    who=(
        "私は{me}で、話しているのはGreenroomに付いているデモ用の声です。",
        "まだ言語モデルはつながっておらず、簡単な決まりとあなたの言葉で答えています。",
        "設定でモデルをつなぐと、このページのまま考えられるようになります。",
    ),
    model_needed=(
        "それは本物の言語モデルの仕事で、私はGreenroomに付いているデモ用の声にすぎません。",
        "ご希望は「{words}」ですね。",
        "設定でモデルを、たとえばこの機械で動くものをつないで、もう一度聞いてください。",
    ),
    name_told=(
        "はじめまして、{name}さん！",
        "お話ししているあいだ、お名前を覚えておきます。",
        "今日は何を話しましょうか？",
    ),
    name_known=("あなたのお名前は{name}さんです。", "ご自分で教えてくれたので、覚えていますよ。"),
    name_unknown=("まだお名前を聞いていません。", "「私は…です」と言ってくれれば覚えます。"),
    before=("先ほどあなたは「{words}」と言いました。", "それは{count}番目のメッセージでした。"),
    nothing_before=("これがあなたの最初の言葉です。", "ですから、まだ振り返ることがありません。"),
    count=("これを入れて、{count}個のメッセージをいただきました。", "ひとつひとつ数えていますよ。"),
    time=("私の時計では{time}です。", "サーバーのある場所の時刻です。"),
    time_format="%Y年%m月%d日 %H時%M分",
    thanked=("どういたしまして！", "お話しできてうれしいです。"),
    parting=("さようなら、お元気で！", "{count}個のメッセージ、楽しかったです。"),
    helping=(
        "気軽に話しかけてください。お名前を教えたり、時刻を聞いたり、前に何を言ったかを聞いたりできます。",
        "声でも文字でも、いつでも私をさえぎってかまいません。",
        "本物の答えがほしいときは、設定で言語モデルをつないでください。",
    ),
    greeting=("こんにちは、ようこそ！", "私は{me}です。", "何についてお話ししましょうか？"),
    greeting_known=("また会えましたね、{name}さん！", "今度は何を話しましょうか？"),
    picture=(
        "写真をありがとうございます！",
        "見ることのできるモデルがないので見えませんが、届いたことはわかります。",
    ),
    silence=("少し静かですね。", "よかったら、今日のことを聞かせてください。"),
    asked=("「{words}」が知りたいのですね。", "ご質問は「{words}」ですね。", "「{words}」とお聞きですね。"),
    heard=("「{words}」なのですね。", "「{words}」と聞こえました。", "「{words}」と話してくれましたね。"),
    thoughts=(
        "もう一度考えてみたくなります。",
        "あなたにとって大切なことのようですね。",
        "その言い方が好きです。",
        "見た目よりも深い話ですね。",
    ),
    linking=(
        "前に「{earlier}」と言っていたのを思い出します。",
        "先ほどは「{earlier}」とも言っていましたね。",
    ),
    follow_ups=(
        "どうして今それを思ったのですか？",
        "それはどう始まったのですか？",
        "これからどうなるといいですか？",
        "もう少し聞かせてくれますか？",
    ),
)

LANGUAGES = {"en": ENGLISH, "zh": CHINESE, "ja": JAPANESE}


def phrases_for(language: str) -> Phrases:
    """The phrases of a language tag (`zh-CN`, `JA_jp`); English for all others."""
    return LANGUAGES.get(language[:2].lower(), ENGLISH)
