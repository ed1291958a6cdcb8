"""Configuration files in Open-LLM-VTuber's shape, written for these tests."""

CONF = """\
system_config:
  conf_version: 'v1.2.1'
  host: 'localhost'
  port: 12393
  config_alts_dir: 'characters'
  tool_prompts:
    live2d_expression_prompt: 'live2d_expression_prompt'
  enable_proxy: false
character_config:
  conf_name: 'lantern'
  conf_uid: 'lantern_001'
  live2d_model_name: 'lantern'
  character_name: 'Lantern'
  avatar: 'lantern.png'
  human_name: 'Guest'
  persona_prompt: |
    You are Lantern, keeper of a lighthouse.
  agent_config:
    conversation_agent_choice: 'basic_memory_agent'
    agent_settings:
      basic_memory_agent:
        llm_provider: 'ollama_llm'
        faster_first_response: False
        segment_method: 'pysbd'
        use_mcpp: True
        mcp_enabled_servers: ["time"]
      hume_ai_agent:
        api_key: ''
    llm_configs:
      openai_compatible_llm:
        base_url: 'http://localhost:9999/v1'
        llm_api_key: '${UNUSED_KEY}'
        model: 'some-model'
        temperature: 1.0
        interrupt_method: 'system'
      ollama_llm:
        base_url: 'http://localhost:11434/v1'
        model: 'qwen2.5:latest'
        temperature: 0.7
        keep_alive: -1
        unload_at_exit: True
      openai_llm:
        llm_api_key: 'Your Open AI API key'
        model: 'gpt-4o'
        temperature: 1.0
      claude_llm:
        base_url: 'https://api.anthropic.com'
        llm_api_key: 'YOUR API KEY HERE'
        model: 'claude'
  asr_config:
    asr_model: 'sherpa_onnx_asr'
  tts_config:
    tts_model: 'edge_tts'
    azure_tts:
      api_key: '${AZURE_KEY}'
  vad_config:
    vad_model: null
  tts_preprocessor_config:
    remove_special_char: True
    ignore_brackets: True
    ignore_parentheses: False
    ignore_asterisks: True
    ignore_angle_brackets: True
    translator_config:
      translate_audio: False
live_config:
  bilibili_live:
    room_ids: [1]
    sessdata: ""
"""

ALTERNATIVE = """\
character_config:
  conf_name: '米粒二号'
  conf_uid: 'mili_two'
  persona_prompt: |
    你是一位守灯塔的人，说话简短。
  agent_config:
    llm_configs:
      ollama_llm:
        model: 'other:7b'
"""

MODELS = """\
[{"name": "lantern", "description": "", "url": "/live2d-models/lantern/runtime/lantern.model3.json",
  "kScale": 0.5, "initialXshift": 0, "initialYshift": 0, "idleMotionGroupName": "Idle",
  "emotionMap": {"neutral": 0, "joy": 3, "sadness": "exp_01", "odd": null, "flag": true},
  "tapMotions": {"HitAreaHead": {"": 1}}}]
"""
