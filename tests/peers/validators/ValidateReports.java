import com.pixelmed.validate.DicomSRValidator;

/** Asks PixelMed's validator about many reports in one virtual machine: its rules alone take a second to load. */
public class ValidateReports {
    public static void main(String[] paths) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        for (String path : paths) {
            System.out.println("== " + path);
            System.out.println(validator.validate(path));
        }
    }
}
