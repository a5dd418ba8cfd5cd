package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.cli.npy.NpyType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A mistake is named in the words of who made it, before any work is done. */
class MistakesTest {

  @TempDir private Path folder;

  private NpyFiles files;

  @BeforeEach
  void writeFiles() throws IOException {
    files = new NpyFiles(folder);
    for (String name : List.of("q", "k", "v")) {
      files.operand(name, NpyType.FLOAT32, new float[24], 1, 3, 2, 4);
    }
    files.operand("wide", NpyType.FLOAT32, new float[600], 1, 1, 1, 600);
    files.operand("long", NpyType.INT64, new float[] {1L << 40}, 1);
    files.operand("four", NpyType.INT64, new float[] {4}, 1);
    files.operand("two", NpyType.INT64, new float[] {1, 1}, 2);
    files.operand("tall", NpyType.FLOAT32, new float[200_000], 1, 200_000, 1, 1);
    Files.createDirectory(folder.resolve("folder"));
    Files.write(folder.resolve("latin.txt"), new byte[] {(byte) 0xE9, '\n'});
  }

  /** Names of files are put into the folder, in the line and in what is expected. */
  private String inFolder(String text) {
    return text.replace("@", folder + "/");
  }

  private void refused(int code, String line, String expected) {
    Cli cli = Cli.run(inFolder(line).split(" "));
    assertEquals(code, cli.code(), cli.out() + cli.err());
    assertEquals("", cli.out());
    assertEquals(1, cli.err().strip().lines().count(), cli.err());
    assertTrue(cli.err().contains(inFolder(expected)), cli.err());
    assertFalse(cli.err().matches("(?s).*(Exception|Error:|java\\.|[a-z]_[a-z]).*"), cli.err());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--window 3,-7           | '3,-7' is not two numbers of 0 or more",
        "--window 3              | '3' is not two numbers of 0 or more",
        "--dtype int8            | 'int8' is not float32 (or fp32), float16 (fp16) or bfloat16",
        "--scale inf             | '--scale': 'inf' is not a finite number",
        "--scale nan             | '--scale': 'nan' is not a finite number",
        "--scale NaN             | '--scale': 'NaN' is not a finite number",
        "--softcap -Infinity     | '--softcap': '-Infinity' is not a finite number",
        "--scale 1e39            | --scale is 1.0E39, expected a finite float",
        "--softcap -1            | --softcap is -1.0, expected 0 (off) or a number from",
        "--dropout 1             | --dropout is 1.0, expected at least 0",
        "--seed 1.5              | '1.5' is not a whole number from -9223372036854775808",
        "--offset 4294967296     | '4294967296' is not a whole number from -2147483648",
        "--threads 0             | --threads is 0, expected 1 or more",
        "--backend :             | --backend: there is no device \":\"; there are cpu, ",
        "--backend ::            | --backend: there is no device \"::\"",
        "--backend cpu:          | --backend: there is no device \"cpu:\"",
        "--backend sim --arch :  | --backend: there is no device \"sim::\"",
        "--lse                   | Missing required parameter for option '--lse'",
        "--weigths w.npy         | no option '--weigths' here; did you mean --weights? Try: fovea",
        "more                    | There is no place for 'more' here. Try: fovea attend --help",
        "--sinks @no.npy         | --sinks @no.npy: there is no such file",
        "--sinks @folder         | --sinks @folder: it is a folder",
        "--sinks @q.npy          | --sinks @q.npy has shape [1, 3, 2, 4], expected [Hq] = [2]",
        "--sinks /dev/zero       | --sinks /dev/zero: it is no regular file",
        "--alibi-slopes @q.npy   | --alibi-slopes @q.npy has shape",
        "--bias @four.npy        | --bias @four.npy has elements of type <i8",
        "--key-lengths @two.npy  | --key-lengths @two.npy has shape [2], expected",
        "--key-lengths @q.npy    | --key-lengths @q.npy has elements of type <f4, expected <i4 or",
        "--key-lengths @four.npy | element 0 of --key-lengths @four.npy is 4, expected 0 to 3",
        "--key-lengths @long.npy | element 0 of --key-lengths @long.npy is 1099511627776",
        "--dout @wide.npy --dkey @dk.npy | --dout @wide.npy has shape [1, 1, 1, 600], expected"
      })
  void attendNamesOptionsAndFiles(String options, String expected) {
    String line = "attend --query @q.npy --key @k.npy --value @v.npy --out @o.npy ";
    refused(Main.USAGE, line + options, expected);
    assertFalse(Files.exists(folder.resolve("o.npy")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "attend --qeury @q.npy --key @k.npy --value @v.npy --out @o.npy| '--qeury' here; did you"
            + " mean --query?",
        "attend --query @q.npy --key @k.npy --value @v.npy | Missing required option: '--out",
        "attend @q.npy | There is no place for '@q.npy' here",
        "attend --query @wide.npy --key @wide.npy --value @wide.npy --out @o.npy | the last"
            + " dimension of --query @wide.npy is 600, expected 1 to 512",
        "attend --query @tall.npy --key @tall.npy --value @tall.npy --out @o.npy --weights @w.npy |"
            + " 160.0 GB for --weights [1, 1, 200000, 200000]",
        "bench --heads 2147483647 | has 140737488289792 elements",
        "bench --query-length 2147483647 | elements, expected at most 2147483647 to be timed",
        "bench --batch 2147483647 --heads 2147483647 --head-dim 2147483647 | elements",
        "bench --query-length 1000000 | 4000.0 GB for the scores of unfused attention",
        "bench --head-dim 600 | --head-dim is 600, expected 1 to 512",
        "bench --heads 0 | --heads is 0, expected 1 or more",
        "bench --heads 8 --kv-heads 3 | --heads is 8, expected a multiple of --kv-heads, 3",
        "bench --threads 65 | --threads is 65, expected 1 to 64",
        "bench --rounds 0 | --rounds is 0, expected 1 to",
        "bench --backend : | --backend is ':', expected cpu or one of its tiers",
        "bench --backend cpux | --backend: there is no device \"cpux\"",
        "check --case 9223372036854775807 | --case is 9223372036854775807, expected 0 to",
        "check --case -1 | --case is -1, expected 0 to",
        "check --cases -1 | --cases is -1, expected 0 or more",
        "check --threads 2147483647 | --threads is 2147483647, expected 1 to 1024",
        "check --timeout 0 | --timeout is 0, expected 1 or more",
        "check --op sideways | 'sideways' is not attention or additive",
        "check --pass sideways | 'sideways' is not forward or backward",
        "check --dump @q.npy | --dump @q.npy cannot be used: something else of that name",
        "check --dump @q.npy/x | --dump @q.npy/x cannot be used: not a",
        "check --dump /proc/x | --dump /proc/x cannot be used: there is no such",
        "demo --heatmap @x.jpg why | --heatmap is @x.jpg, expected a name that ends in .png",
        "demo --heatmap @folder why | --heatmap @folder is a folder",
        "demo --heatmap @no/x.png why | --heatmap @no/x.png cannot be written: there is no such",
        "demo --heatmap @x.png --sentence a --text @latin.txt --out @x.png | is not UTF-8",
        "demo --text @folder | --text @folder is a folder",
        "demo --text @no.txt | --text @no.txt cannot be read: there is no such file",
        "demo --layer 3 why | --layer, --head and --sentence need --heatmap",
        "demo --train --steps 2147483647 | --steps is 2147483647, expected 1 to",
        "demo --train --plot @x.gif | --plot is @x.gif, expected a name that ends in .png",
        "demo --train --plot @folder | --plot @folder is a folder",
        "atend | There is no command 'atend' here; did you mean attend?",
        "help | There is no command 'help' here. Try: fovea --help"
      })
  void commandsNameWhatIsWrong(String line, String expected) {
    refused(Main.USAGE, line, expected);
  }

  @ParameterizedTest
  @CsvSource({"fp32", "F16", "half", "bf16", "BFloat16"})
  void commonNamesOfTypesAreTaken(String name) {
    String line = "attend --query @q.npy --key @k.npy --value @v.npy --out @o.npy --dtype ";
    Cli cli = Cli.run(inFolder(line + name).split(" "));
    assertEquals(0, cli.code(), cli.err());
  }

  @Test
  void filesOfTheDemoAreKeptApart() throws IOException {
    Path text = Files.writeString(folder.resolve("lines.txt"), "a cat\n");
    refused(
        Main.USAGE,
        "demo --text @lines.txt --out @lines.txt",
        "--out @lines.txt is the file that --text reads");
    refused(
        Main.USAGE,
        "demo --text @lines.txt --out @x.png --heatmap @x.png why",
        "--heatmap @x.png is the file that --out writes");
    assertEquals("a cat\n", Files.readString(text));
  }

  @Test
  void emptyNamesOfFilesAreRefused() {
    List<String> line = new ArrayList<>(List.of("attend", "--query", ""));
    assertTrue(Cli.run(line.toArray(String[]::new)).err().contains("'' is not the name of a file"));
    line.set(2, "a\0b");
    assertTrue(Cli.run(line.toArray(String[]::new)).err().contains("is not the name of a file"));
  }

  @Test
  void aQuestionMayBeginWithAnAt() {
    Cli cli = Cli.run("demo", "@" + folder.resolve("latin.txt"), "--rounds", "-1");
    assertTrue(cli.err().startsWith("--rounds is -1"), cli.err());
  }

  /** As /dev/full does. */
  private static final class Full extends OutputStream {
    @Override
    public void write(int b) throws IOException {
      throw new IOException("No space left on device");
    }
  }

  @ParameterizedTest
  @CsvSource({"--version", "--help", "info", "info --json", "check --cases 1 --json"})
  void outputThatCannotBePrintedIsAFailure(String line) {
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int code = Main.run(new PrintStream(new Full()), new PrintStream(err), line.split(" "));
    assertEquals(Main.FAILED, code);
    assertTrue(err.toString().contains("Standard output cannot be written"), err.toString());
  }
}
