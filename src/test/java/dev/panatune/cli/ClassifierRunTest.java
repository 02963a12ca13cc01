package dev.panatune.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.panatune.tensor.TensorScope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A classifier through the commands: train, eval, merge, resume. */
class ClassifierRunTest {
  private static final String[] NAMES = {"vowel", "consonant", "digit"};
  private static final String CLASSES = "model.id2label={0: vowel, 1: consonant, 2: digit}";
  private static final List<String> SYMBOLS = List.of("aeiou", "bcdfg", "13579");

  @TempDir Path directory;
  private TinyRun run;

  @BeforeEach
  void write() throws IOException {
    run = TinyRun.in(directory);
    rows("train.jsonl", 30, 0);
    rows("eval.jsonl", 12, 1);
  }

  private void rows(String name, int count, int start) throws IOException {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String some = SYMBOLS.get(i % 3);
      char first = some.charAt((start + i) % 5);
      char second = some.charAt((start + 2 * i + 1) % 5);
      lines.add(
          "{\"text\": \"is it %c or %c\", \"label\": \"%s\"}"
              .formatted(first, second, NAMES[i % 3]));
    }
    Files.write(directory.resolve(name), lines);
  }

  private static String[] overrides(String peft, String... more) {
    List<String> all = new ArrayList<>(List.of("peft=" + peft, CLASSES));
    all.addAll(List.of(more));
    return all.toArray(String[]::new);
  }

  private JsonNode metrics(Path model, Object... further) {
    List<Object> arguments = new ArrayList<>(List.of("eval", "--model", model));
    arguments.addAll(List.of("--data", directory.resolve("eval.jsonl"), "--json"));
    arguments.addAll(List.of(further));
    return Outcome.of(arguments.toArray()).json().get("metrics");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "true | {r: 8, target_modules: all-linear, task_type: SEQ_CLS}",
        "true | {peft_type: IA3, task_type: SEQ_CLS}",
        "false | {peft_type: PROMPT_TUNING, num_virtual_tokens: 4, task_type: SEQ_CLS}",
        "false | {peft_type: PREFIX_TUNING, num_virtual_tokens: 4, task_type: SEQ_CLS}",
      })
  void aClassifierRunsFromOneFile(boolean merges, String peft) throws IOException {
    long tensors = TensorScope.liveTensors();
    String[] overrides = overrides(peft);
    run.train(overrides).succeeded();
    assertEquals(tensors, TensorScope.liveTensors());
    JsonNode report = run.json("eval.json");
    double after = report.at("/after/loss").doubleValue();
    assertTrue(after < report.at("/before/loss").doubleValue(), report.toString());
    double accuracy = report.at("/after/accuracy").doubleValue();
    double macroF1 = report.at("/after/macro_f1").doubleValue();
    assertTrue(accuracy > 0 && macroF1 > 0, report.toString());
    assertTrue(run.log().stream().anyMatch(line -> line.has("accuracy")));
    assertTrue(Files.readString(run.output().resolve("README.md")).contains("text-classification"));

    JsonNode found = metrics(run.model(), "--adapter", run.output());
    assertEquals(after, found.get("loss").doubleValue(), 1e-5 * after);
    assertEquals(accuracy, found.get("accuracy").doubleValue());
    assertEquals(macroF1, found.get("macro_f1").doubleValue());

    Path merged = directory.resolve("merged");
    Outcome merge =
        Outcome.of("merge", "--model", run.model(), "--adapter", run.output(), "--out", merged);
    if (merges) {
      merge.succeeded();
      assertEquals(after, metrics(merged).get("loss").doubleValue(), 1e-3 * after);
      JsonNode config = new ObjectMapper().readTree(merged.resolve("config.json").toFile());
      assertEquals("consonant", config.at("/id2label/1").textValue());
      assertEquals(258, config.get("pad_token_id").intValue());
      assertEquals("LlamaForSequenceClassification", config.at("/architectures/0").textValue());
    } else {
      merge.failed(2, "cannot be merged");
    }
    run.resumesToTheSameBits("adapter_model.safetensors", overrides);
  }

  @Test
  void theWholeModelIsTrainedAsAClassifier() throws IOException {
    String[] overrides = {
      "peft=null", "model.task_type=SEQ_CLS", CLASSES, "training.freeze=[embed_tokens]"
    };
    run.train(overrides).succeeded();
    double after = run.json("eval.json").at("/after/loss").doubleValue();
    assertEquals(after, metrics(run.output()).get("loss").doubleValue(), 1e-5 * after);
    run.resumesToTheSameBits("model.safetensors", overrides);
    Outcome.of("generate", "--model", run.output(), "--prompt", "a")
        .failed(2, "the model is a classifier");
    run.train("model.path=" + run.output(), "output_dir=" + directory.resolve("other"))
        .failed(2, "task_type: SEQ_CLS");
    Outcome.of(
            "eval",
            "--model",
            run.output(),
            "--data",
            directory.resolve("eval.jsonl"),
            "--metrics",
            "perplexity")
        .failed(2, "--metrics perplexity is none of this model's: loss, accuracy, macro_f1");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "model.num_labels=4 | model.num_labels is 4, and model.id2label names 3 classes",
        "model.id2label={0: a, 2: b} | none of them is 1",
        "model.id2label=[a, a] | a class has the name of another",
        "model.id2label=[a] | 2 to 100000 classes, not 1; one is regression",
        "model.id2label=null | say model.num_labels",
        "model.problem_type=regression | one class a text; regression and",
        "model.problem_type=multi_label_classification | one class a text",
        "model.label2id={a: 0} | model.label2id",
        "model.task_type=CAUSAL_LM | model.task_type is CAUSAL_LM and peft.task_type SEQ_CLS",
        "peft.task_type=TOKEN_CLS | task_type: TOKEN_CLS is not supported yet",
        "peft.task_type=CAUSAL_LM | model.id2label needs task_type: SEQ_CLS",
        "sample_prompts=[a] | writes no answers",
        "data.train=[{path: train.jsonl, format: text}] | is text, and task_type is SEQ_CLS",
      })
  void whatIsWrongIsNamed(String override, String expected) {
    run.train(overrides("{r: 2, task_type: SEQ_CLS}", override)).failed(2, expected);
  }

  @Test
  void rowsWithoutLabelsAreNamed() throws IOException {
    run.train(overrides("{r: 2, task_type: SEQ_CLS}", "model.id2label=[vowel, consonants, digit]"))
        .failed(1, "no class 'consonant' (did you mean consonants?); the model has vowel");
    Files.writeString(directory.resolve("train.jsonl"), "{\"text\": \"a\", \"labels\": 1}\n");
    run.train(overrides("{r: 2, task_type: SEQ_CLS}", "overwrite_output_dir=true"))
        .failed(1, "line 1: key 'label' is missing; did you mean to name 'labels' so?");
    for (String label : List.of("[0, 1]", "0.5")) {
      Files.writeString(
          directory.resolve("train.jsonl"), "{\"text\": \"a\", \"label\": %s}\n".formatted(label));
      run.train(overrides("{r: 2, task_type: SEQ_CLS}", "overwrite_output_dir=true"))
          .failed(1, "a text has one class: several labels");
    }
    Files.writeString(directory.resolve("train.jsonl"), "{\"text\": \"a\", \"label\": 3}\n");
    run.train(overrides("{r: 2, task_type: SEQ_CLS}", "overwrite_output_dir=true"))
        .failed(1, "there is no class 3");
  }
}
