"""Small random models whose every configuration key matters, as Hugging Face directories.

Weights are drawn with standard deviation 0.2, norms and biases are random too, and rows are longer than the original
length of a scaled RoPE: a model with the defaults would not notice a key that is ignored.
"""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BitsAndBytesConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

VOCABULARY = 320
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<pad>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
TEXT = [
    "the quick brown fox jumps over the lazy dog",
    "a dish baked in pastry-lined pan often with a pastry top",
    "engrave or cut by chipping away at a surface",
    "emitting or reflecting light readily or in large amounts",
]


def tokenizer():
    """Byte-level BPE with a few merges and a chat template."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(TEXT, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=SPECIAL[0],
        eos_token=SPECIAL[2],
        pad_token=SPECIAL[3],
        chat_template=TEMPLATE,
        model_max_length=256,
    )


def untied_config():
    """Grouped-query attention, a head of its own, an epsilon that shows."""
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=80,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        rms_norm_eps=1e-3,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        initializer_range=0.2,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=3,
    )


def tied_config():
    """A tied head, biases, heads that are wider than hidden / heads, Llama 3's RoPE over an original length of 16."""
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=128,
        rms_norm_eps=1e-5,
        attention_bias=True,
        mlp_bias=True,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 10000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16,
        },
        initializer_range=0.2,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=3,
    )


def gpt2_config(vocabulary=VOCABULARY):
    """GPT-2: Conv1D layers, LayerNorm, learned positions, a tied head; without dropout."""
    return GPT2Config(
        vocab_size=vocabulary,
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=4,
        initializer_range=0.2,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=3,
    )


def random_model(config, seed, kind=None):
    """A model with random weights, norms and biases, in fp32 and evaluation mode; `kind` is a class for other families."""
    torch.manual_seed(seed)
    model = (kind or (GPT2LMHeadModel if isinstance(config, GPT2Config) else LlamaForCausalLM))(config).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("norm.weight") or (".ln_" in name and name.endswith(".weight")):
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
        elif name.endswith(".bias"):
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def quantization(kind, nested, compute=torch.float32, skip=None):
    """What from_pretrained takes to keep a model in 4 bits on the CPU."""
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=kind,
        bnb_4bit_use_double_quant=nested,
        bnb_4bit_compute_dtype=compute,
        llm_int8_skip_modules=skip,
    )
    return {"quantization_config": config, "device_map": "cpu"}


def save(model, directory, dtype):
    """Writes model and tokenizer; the weights in `dtype`."""
    model.to(dtype).save_pretrained(directory)
    tokenizer().save_pretrained(directory)


def randomise_adapter(model, seed):
    """Fresh adapters are identities: gives every trainable tensor of a PEFT model random values that matter."""
    generator = torch.Generator().manual_seed(seed)
    for _, parameter in sorted(model.named_parameters()):
        if parameter.requires_grad:
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
            parameter.data.copy_(parameter.data * 0.5 + 0.15 * noise)


def token_rows(rows, length, seed):
    """Random token ids that avoid the special ones, int64 [rows, length]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(len(SPECIAL), VOCABULARY, (rows, length), generator=generator)
