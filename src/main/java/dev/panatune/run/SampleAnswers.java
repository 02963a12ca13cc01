package dev.panatune.run;

import dev.panatune.generate.GenerationConfig;
import dev.panatune.generate.Generator;
import dev.panatune.model.PretrainedModel;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a model answers to the sample prompts of a run, at one time.
 *
 * @param prompts the questions
 * @param answers to each of them
 */
record SampleAnswers(List<String> prompts, List<String> answers) {

  /** Asks the model as it is now; it always takes the likeliest token. */
  static SampleAnswers ask(PretrainedModel pretrained, List<String> prompts, int maxNewTokens) {
    GenerationConfig config = GenerationConfig.greedy(maxNewTokens);
    Generator generator = new Generator(pretrained);
    List<String> answers = new ArrayList<>();
    for (String prompt : prompts) {
      int[] ids = Prompt.encode(pretrained.tokenizer(), Optional.empty(), prompt);
      answers.add(generator.generate(ids, config).text().strip());
    }
    return new SampleAnswers(prompts, answers);
  }

  /** Prints them for a person. */
  void show(String when, PrintWriter out) {
    for (int i = 0; i < prompts.size(); i++) {
      out.println("%s: %s".formatted(oneLine(prompts.get(i)), when));
      out.println("    " + oneLine(answers.get(i)));
    }
    out.flush();
  }

  /** The answers of two times side by side, fit to be JSON. */
  static List<Map<String, String>> compare(SampleAnswers before, SampleAnswers after) {
    List<Map<String, String>> rows = new ArrayList<>();
    for (int i = 0; i < before.prompts().size(); i++) {
      Map<String, String> row = new LinkedHashMap<>();
      row.put("prompt", before.prompts().get(i));
      row.put("before", before.answers().get(i));
      row.put("after", after.answers().get(i));
      rows.add(row);
    }
    return rows;
  }

  private static String oneLine(String text) {
    return text.replaceAll("\\s+", " ");
  }
}
