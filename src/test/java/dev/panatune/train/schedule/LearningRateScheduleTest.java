package dev.panatune.train.schedule;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/** Compares with the rates that transformers' get_scheduler gave. */
class LearningRateScheduleTest {
  @Test
  void everyRateIsThatOfTransformers() throws IOException {
    int compared = 0;
    for (JsonNode wanted : fixture()) {
      SchedulerType type =
          SchedulerType.valueOf(wanted.get("type").textValue().toUpperCase(Locale.ROOT));
      LearningRateSchedule schedule =
          new LearningRateSchedule(
              type,
              wanted.get("lr").doubleValue(),
              wanted.get("warmup").intValue(),
              wanted.get("total").intValue());
      for (int step = 0; step < wanted.get("rates").size(); step++) {
        double rate = wanted.get("rates").get(step).doubleValue();
        assertEquals(rate, schedule.at(step), 1e-15 * rate, schedule + " at step " + step);
        compared++;
      }
    }
    assertEquals(4 * (7 + 10 + 5 + 12 + 1), compared);
  }

  private static JsonNode fixture() throws IOException {
    try (InputStream in =
        LearningRateScheduleTest.class.getResourceAsStream("/dev/panatune/train/schedules.json")) {
      return new ObjectMapper().readTree(in);
    }
  }
}
