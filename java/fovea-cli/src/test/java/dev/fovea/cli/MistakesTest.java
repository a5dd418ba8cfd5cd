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
    files.operand("w", NpyType.FLOAT32, new float[8], 2, 4);
    files.operand("packed", NpyType.FLOAT32, new float[24], 3, 2, 4);
    files.operand("offsets", NpyType.INT32, new float[] {0, 3}, 2);
    files.operand("short", NpyType.INT32, new float[] {0, 1, 2}, 3);
    files.operand("falling", NpyType.INT32, new float[] {0, 2, 1, 3}, 4);
    files.operand("none", NpyType.INT32, new float[0], 0);
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
        "--out @x.npy            | option '--out' should be specified only once. Try: fovea attend",
        "--dout @v.npy --dout @v.npy | option '--dout' should be specified only once",
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
        "--op gated             | '--op': 'gated' is not attention or additive or distance or"
            + " channel or spatial or linear or low-rank or projection or rotary or append"
            + " or norm or activation or embedding or cross-entropy or merge or optimizer",
        "--softcap 0            | --softcap does not go with --op additive, only with --op"
            + " attention",
        "--scale 1              | --scale does not go with --op additive, only with --op attention"
            + " or linear or low-rank or embedding",
        "--allow-tf32           | --allow-tf32 does not go with --op additive, only with",
        "--sinks @no.npy        | --sinks does not go with --op additive, only with --op attention",
        "--alibi-slopes @w.npy  | --alibi-slopes does not go with --op additive, only with",
        "--dsinks @w.npy        | --dsinks does not go with --op additive, only with --op"
            + " attention",
        "--op attention         | --weight does not go with --op attention, only with --op"
            + " additive or spatial or projection",
        "--dropout 1            | --dropout is 1.0, expected at least 0",
        "--bias @q.npy          | --bias @q.npy has shape [1, 3, 2, 4], expected [Hq, A] = [2, 4]",
        "--bias @no.npy         | --bias @no.npy: there is no such file",
        "--key-lengths @two.npy | --key-lengths @two.npy has shape [2], expected",
        "--dout @v.npy --dbias @x.npy | --dbias needs --bias: there is no gradient of what is not",
        "--dweight @x.npy       | gradients need --dout, the gradient of out, of the shape of out",
        "--dout @v.npy          | --dout needs a gradient to write: --dquery, --dkey, --dvalue,"
            + " --dweight or --dbias",
        "--deterministic        | --deterministic needs a gradient to write: --dquery,"
      })
  void additiveNamesOptionsAndFiles(String options, String expected) {
    String line =
        "attend --op additive --query @q.npy --key @k.npy --value @v.npy --weight @w.npy --out"
            + " @o.npy ";
    if (options.startsWith("--op")) {
      line = line.replace("--op additive ", "");
    }
    refused(Main.USAGE, line + options, expected);
    assertFalse(Files.exists(folder.resolve("o.npy")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "offsets | -                                 | packed sequences need --cu-seqlens-q and"
            + " --cu-seqlens-k",
        "short   | offsets                           | --cu-seqlens-q @short.npy has offsets from 0"
            + " to 2, expected offsets from 0 to 3, one more than there are sequences",
        "offsets | none                              | --cu-seqlens-k @none.npy has no elements,",
        "offsets | falling                           | element 2 of --cu-seqlens-k @falling.npy is"
            + " 1, expected 2 to 3",
        "offsets | packed                            | --cu-seqlens-k @packed.npy has elements of"
            + " type <f4, expected <i4 or <i8",
        "offsets | offsets --query-lengths @four.npy | packed query sequences take their lengths"
            + " from --cu-seqlens-q @offsets.npy, not from --query-lengths @four.npy",
        "offsets | offsets --query @q.npy            | --query @q.npy has shape [1, 3, 2, 4],"
            + " expected three dimensions [Tq, Hq, D], the last of 1 or more"
      })
  void packedSequencesNeedRightOffsets(String query, String key, String expected) {
    List<String> line =
        new ArrayList<>(List.of("attend --out @o.npy --cu-seqlens-q @" + query + ".npy"));
    if (!key.equals("-")) {
      line.add("--cu-seqlens-k @" + key.replaceFirst(" |$", ".npy "));
    }
    for (String rows : List.of("query", "key", "value")) {
      if (!key.contains("--" + rows + " ")) {
        line.add("--" + rows + " @packed.npy");
      }
    }
    refused(Main.USAGE, String.join(" ", line).replace("  ", " "), expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "attend --qeury @q.npy --key @k.npy --value @v.npy --out @o.npy| '--qeury' here; did you"
            + " mean --query?",
        "attend --query @q.npy --key @k.npy --value @v.npy | Missing required option: '--out",
        "attend --op additive --query @q.npy --key @k.npy --value @v.npy | Missing required"
            + " options: '--weight', '--out', for --op additive. Try: fovea attend --help",
        "attend --op additive --query @q.npy --key @k.npy --value @v.npy --weight @packed.npy --out"
            + " @o.npy | --weight @packed.npy has shape [3, 2, 4], expected two dimensions [Hq,"
            + " A],",
        "attend --op additive --query @q.npy --key @k.npy --value @v.npy --weight @wide.npy --out"
            + " @q.npy | --out @q.npy is the file that --query reads",
        "attend --query @packed.npy --key @packed.npy --value @packed.npy --out @o.npy | --query"
            + " @packed.npy has shape [3, 2, 4], expected four dimensions [B, Sq, Hq, D], the last"
            + " of 1 or more; packed sequences need --cu-seqlens-q and --cu-seqlens-k",
        "attend @q.npy | There is no place for '@q.npy' here",
        "attend --query @wide.npy --key @wide.npy --value @wide.npy --out @o.npy | the last"
            + " dimension of --query @wide.npy is 600, expected 1 to 576",
        "attend --query @tall.npy --key @tall.npy --value @tall.npy --out @o.npy --weights @w.npy |"
            + " 160.0 GB for --weights [1, 1, 200000, 200000]",
        "bench --heads 2147483647 | has 140737488289792 elements",
        "bench --query-length 2147483647 | elements, expected at most 2147483647 to be timed",
        "bench --batch 2147483647 --heads 2147483647 --head-dim 2147483647 | elements",
        "bench --query-length 1000000 | 4000.0 GB for the scores of unfused attention",
        "bench --head-dim 600 | --head-dim is 600, expected 1 to 576",
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
        "check --op sideways | 'sideways' is not attention or decode or additive or distance or"
            + " channel or spatial or linear or projection or rotary or append or norm or"
            + " activation or embedding or cross-entropy or merge or optimizer",
        "check --op optimizer --pass backward | optimizer has no backward pass: nothing of it has a"
            + " gradient",
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
        "demo --translate --dictionary @no.txt | --dictionary @no.txt cannot be read: there is no",
        "demo --translate --dictionary @latin.txt | has 0 words such as \"ATTENTION",
        "demo --translate | --translate needs a --dictionary, or npm's",
        "demo --generate --text @no.txt | --text @no.txt cannot be read: there is no such file",
        "demo --generate --text @folder | --text @folder is a folder",
        "demo --generate --text @latin.txt | bytes, expected more than 256",
        "demo --generate --checkpoint @no.txt | --checkpoint @no.txt cannot be read: there is no",
        "demo --generate --checkpoint @latin.txt | --checkpoint @latin.txt cannot be read:",
        "demo --generate --tokens 5 --temperature -2 | temperature is -2.0, expected a number",
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
