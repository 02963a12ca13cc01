package dev.panatune.train;

import static java.util.Map.entry;

import dev.panatune.error.ConfigurationException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * What transformers' {@code TrainingArguments} know and this library does not do: refused by name,
 * never ignored. A value that asks for nothing (transformers' default) is let pass, so that files
 * with every option written out can be used.
 */
final class UnsupportedOptions {
  static final List<String> SCHEDULERS =
      List.of(
          "cosine_with_restarts",
          "polynomial",
          "inverse_sqrt",
          "reduce_lr_on_plateau",
          "cosine_with_min_lr",
          "cosine_warmup_with_min_lr",
          "warmup_stable_decay",
          "greedy");

  static final List<String> SAMPLING_STRATEGIES = List.of("batch_rebalance");

  static final List<String> OPTIMIZERS =
      List.of(
          "adamw_torch_xla",
          "adamw_torch_npu_fused",
          "adafactor",
          "adamw_anyprecision",
          "adamw_torch_4bit",
          "adamw_torch_8bit",
          "ademamix",
          "sgd",
          "adagrad",
          "ademamix_8bit",
          "lion_8bit",
          "lion_32bit",
          "paged_ademamix_32bit",
          "paged_ademamix_8bit",
          "paged_lion_32bit",
          "paged_lion_8bit",
          "rmsprop",
          "rmsprop_bnb",
          "rmsprop_bnb_8bit",
          "rmsprop_bnb_32bit",
          "galore_adamw",
          "galore_adamw_8bit",
          "galore_adafactor",
          "galore_adamw_layerwise",
          "galore_adamw_8bit_layerwise",
          "galore_adafactor_layerwise",
          "lomo",
          "adalomo",
          "grokadamw",
          "schedule_free_radam",
          "schedule_free_adamw",
          "schedule_free_sgd",
          "apollo_adamw",
          "apollo_adamw_layerwise",
          "stable_adamw");

  /** Option to its default, where that is something. */
  private static final Map<String, Object> DEFAULTS =
      Map.ofEntries(
          entry("average_tokens_across_devices", true),
          entry("label_smoothing_factor", 0.0),
          entry("bf16_full_eval", false),
          entry("fp16_full_eval", false),
          entry("torch_compile", false),
          entry("use_liger_kernel", false),
          entry("use_cache", false),
          entry("auto_find_batch_size", false),
          entry("log_on_each_node", true),
          entry("logging_nan_inf_filter", true),
          entry("log_level", "passive"),
          entry("log_level_replica", "warning"),
          entry("report_to", "none"),
          entry("project", "huggingface"),
          entry("prediction_loss_only", false),
          entry("eval_do_concat_batches", true),
          entry("eval_use_gather_object", false),
          entry("include_for_metrics", List.of()),
          entry("batch_eval_metrics", false),
          entry("save_only_model", false),
          entry("save_on_each_node", false),
          entry("enable_jit_checkpoint", false),
          entry("push_to_hub", false),
          entry("hub_strategy", "every_save"),
          entry("hub_always_push", false),
          entry("ignore_data_skip", false),
          entry("restore_callback_states_from_checkpoint", false),
          entry("full_determinism", false),
          entry("dataloader_num_workers", 0.0),
          entry("dataloader_pin_memory", true),
          entry("dataloader_persistent_workers", false),
          entry("dataloader_in_order", true),
          entry("remove_unused_columns", true),
          entry("length_column_name", "length"),
          entry("ddp_timeout", 1800.0),
          entry("debug", ""),
          entry("skip_memory_metrics", true),
          entry("do_train", false),
          entry("do_eval", false),
          entry("do_predict", false),
          entry("local_rank", -1.0));

  /** Options whose default is nothing at all. */
  private static final Set<String> EMPTY =
      Set.of(
          "lr_scheduler_kwargs",
          "optim_args",
          "optim_target_modules",
          "tf32",
          "activation_checkpointing_kwargs",
          "gradient_checkpointing_kwargs",
          "torch_compile_backend",
          "torch_compile_mode",
          "liger_kernel_config",
          "neftune_noise_alpha",
          "torch_empty_cache_steps",
          "run_name",
          "trackio_space_id",
          "trackio_bucket_id",
          "trackio_static_space_id",
          "eval_accumulation_steps",
          "hub_token",
          "hub_private_repo",
          "hub_model_id",
          "hub_revision",
          "accelerator_config",
          "parallelism_config",
          "dataloader_prefetch_factor",
          "dataloader_multiprocessing_context",
          "label_names",
          "ddp_find_unused_parameters",
          "ddp_bucket_cap_mb",
          "ddp_broadcast_buffers",
          "ddp_static_graph",
          "ddp_backend",
          "fsdp",
          "fsdp_config",
          "deepspeed");

  private UnsupportedOptions() {}

  static List<String> names() {
    return Stream.concat(DEFAULTS.keySet().stream(), EMPTY.stream()).toList();
  }

  /** Refuses a value that asks for something; throws what {@code unknown} gives for other names. */
  static void check(String name, Object value, Supplier<ConfigurationException> unknown) {
    Object allowed = DEFAULTS.get(name);
    if (allowed == null && !EMPTY.contains(name)) {
      throw unknown.get();
    }
    if (value == null || asksForNothing(allowed, value)) {
      return;
    }
    throw new ConfigurationException(
        name
            + ": transformers knows this option, but it is not supported yet; remove it"
            + (allowed == null ? "" : ", or leave it at " + shown(allowed)));
  }

  private static boolean asksForNothing(Object allowed, Object value) {
    return switch (value) {
      case Number number -> allowed instanceof Number n && n.doubleValue() == number.doubleValue();
      case Map<?, ?> map -> allowed == null && map.isEmpty();
      case List<?> list -> list.isEmpty() || list.equals(Arrays.asList(allowed));
      default -> Objects.equals(allowed, value);
    };
  }

  private static String shown(Object allowed) {
    return allowed instanceof Number number
        ? Long.toString(number.longValue())
        : allowed.toString();
  }
}
