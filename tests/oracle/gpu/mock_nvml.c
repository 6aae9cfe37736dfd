/* A libnvidia-ml.so.1 whose cards stand in the file that CLEARWORK_MOCK_NVML names.
 *
 * It has the functions that oracle/adapters/gpu/nvml.py asks, with the names, arguments and
 * structures of NVIDIA's nvml.h, so the real bindings (pynvml) load and call it. The file is read
 * by nvmlInit; without one the library says that it is not there. A line is a word and its value:
 *
 *   driver TEXT          version of the driver
 *   capable 0|1          the system's cards are capable of confidential computing
 *   confidential 0|1     confidential computing is switched on
 *   card UUID            a card; what follows is about it
 *   instance UUID        a MIG instance of the last card; what follows is about it
 *   empty                an empty MIG slot of the last card
 *   name TEXT            what the device is called
 *   memory BYTES         its memory, a quarter of it in use
 *   mig CURRENT PENDING  its MIG mode
 *   virtualization N     its nvmlGpuVirtualizationMode_t
 *   utilisation N        percent
 *   power N              milliwatts
 *   report FILE          its attestation report: a recording, so for one nonce only
 *   nonce HEX            the one it answers; without this line it plays the recording to anybody
 *   chain FILE           its certificates, PEM
 *   fail FUNCTION CODE   this function answers with this nvmlReturn_t: for the device it stands
 *                        under, or for the system above the first card
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, NO_LIBRARY = 12, UNKNOWN = 999 };
enum { CARDS = 16, SLOTS = 8, FAILURES = 16, TEXT = 96, PATH = 1024 };

typedef struct {
    char function[TEXT];
    int code;
} Failure;

typedef struct Device {
    char uuid[TEXT], name[TEXT], report[PATH], chain[PATH], nonce[TEXT];
    unsigned long long memory;
    unsigned mig[2], virtualization, utilisation, power, slots;
    int empty, failures;
    Failure failure[FAILURES];
    struct Device *slot[SLOTS];
} Device;

static struct {
    char driver[TEXT];
    unsigned capable, confidential, cards;
    Device *card[CARDS];
    Device itself; /* holds the failures of the whole system */
} machine;

static Device *new_device(const char *uuid)
{
    Device *device = calloc(1, sizeof *device);
    snprintf(device->uuid, sizeof device->uuid, "%s", uuid);
    snprintf(device->name, sizeof device->name, "NVIDIA H100 80GB HBM3");
    device->memory = 80ull << 30;
    device->utilisation = 97;
    device->power = 412000;
    return device;
}

/* One line of the file; -1 where it says nothing that is known. */
static int obey(const char *word, const char *value, Device **current)
{
    Device *card = machine.cards ? machine.card[machine.cards - 1] : NULL, *device = *current;
    if (!strcmp(word, "driver")) {
        snprintf(machine.driver, sizeof machine.driver, "%s", value);
    } else if (!strcmp(word, "capable")) {
        machine.capable = atoi(value);
    } else if (!strcmp(word, "confidential")) {
        machine.confidential = atoi(value);
    } else if (!strcmp(word, "card") && machine.cards < CARDS) {
        *current = machine.card[machine.cards++] = new_device(value);
    } else if (!strcmp(word, "instance") && card && card->slots < SLOTS) {
        *current = card->slot[card->slots++] = new_device(value);
    } else if (!strcmp(word, "empty") && card && card->slots < SLOTS) {
        card->slot[card->slots++] = NULL;
    } else if (!strcmp(word, "fail") && device->failures < FAILURES) {
        Failure *failure = &device->failure[device->failures++];
        return sscanf(value, "%95s %d", failure->function, &failure->code) == 2 ? 0 : -1;
    } else if (!strcmp(word, "name")) {
        snprintf(device->name, sizeof device->name, "%s", value);
    } else if (!strcmp(word, "memory")) {
        device->memory = strtoull(value, NULL, 10);
    } else if (!strcmp(word, "mig")) {
        return sscanf(value, "%u %u", &device->mig[0], &device->mig[1]) == 2 ? 0 : -1;
    } else if (!strcmp(word, "virtualization")) {
        device->virtualization = atoi(value);
    } else if (!strcmp(word, "utilisation")) {
        device->utilisation = atoi(value);
    } else if (!strcmp(word, "power")) {
        device->power = atoi(value);
    } else if (!strcmp(word, "report")) {
        snprintf(device->report, sizeof device->report, "%s", value);
    } else if (!strcmp(word, "nonce")) {
        snprintf(device->nonce, sizeof device->nonce, "%s", value);
    } else if (!strcmp(word, "chain")) {
        snprintf(device->chain, sizeof device->chain, "%s", value);
    } else {
        return -1;
    }
    return 0;
}

static int failing(const Device *device, const char *function)
{
    for (int i = 0; i < device->failures; i++)
        if (!strcmp(device->failure[i].function, function))
            return device->failure[i].code;
    return SUCCESS;
}

/* The first thing in a function: answer as the file says it fails, if it does. */
#define MAY_FAIL(device)                           \
    do {                                           \
        int code = failing((device), __func__);    \
        if (code != SUCCESS)                       \
            return code;                           \
    } while (0)

static int copy(char *to, unsigned size, const char *text)
{
    return snprintf(to, size, "%s", text) < (int)size ? SUCCESS : 7; /* insufficient size */
}

static int load(const char *path, unsigned char *to, unsigned room, unsigned *size)
{
    FILE *file = path[0] ? fopen(path, "rb") : NULL;
    if (!file)
        return NOT_SUPPORTED;
    *size = fread(to, 1, room, file);
    int whole = fgetc(file) == EOF;
    fclose(file);
    return whole ? SUCCESS : UNKNOWN;
}

int nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    const char *path = getenv("CLEARWORK_MOCK_NVML");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file)
        return NO_LIBRARY;
    memset(&machine, 0, sizeof machine);
    Device *current = &machine.itself;
    char line[PATH + TEXT];
    while (fgets(line, sizeof line, file)) {
        char *word = line + strspn(line, " "), *value = word + strcspn(word, " \n");
        if (*value)
            *value++ = 0;
        value[strcspn(value, "\n")] = 0;
        if (*word && obey(word, value, &current)) {
            fprintf(stderr, "mock_nvml: can't read: %s %s\n", word, value);
            abort();
        }
    }
    fclose(file);
    MAY_FAIL(&machine.itself);
    return SUCCESS;
}

int nvmlShutdown(void) { return SUCCESS; }

const char *nvmlErrorString(int code)
{
    (void)code;
    return "an error of the mock";
}

int nvmlSystemGetDriverVersion(char *version, unsigned size)
{
    MAY_FAIL(&machine.itself);
    return copy(version, size, machine.driver);
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    MAY_FAIL(&machine.itself);
    *count = machine.cards;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **device)
{
    if (index >= machine.cards)
        return INVALID;
    MAY_FAIL(machine.card[index]);
    *device = machine.card[index];
    return SUCCESS;
}

int nvmlDeviceGetUUID(Device *device, char *uuid, unsigned size)
{
    MAY_FAIL(device);
    return copy(uuid, size, device->uuid);
}

int nvmlDeviceGetName(Device *device, char *name, unsigned size)
{
    MAY_FAIL(device);
    return copy(name, size, device->name);
}

typedef struct { unsigned long long total, free, used; } Memory; /* nvmlMemory_t */

int nvmlDeviceGetMemoryInfo(Device *device, Memory *memory)
{
    MAY_FAIL(device);
    memory->total = device->memory;
    memory->used = device->memory / 4;
    memory->free = memory->total - memory->used;
    return SUCCESS;
}

typedef struct { /* nvmlPciInfo_t */
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
} Pci;

int nvmlDeviceGetPciInfo_v3(Device *device, Pci *pci)
{
    MAY_FAIL(device);
    return copy(pci->bus_id, sizeof pci->bus_id, "00000000:3B:00.0");
}

int nvmlDeviceGetMigMode(Device *device, unsigned *current, unsigned *pending)
{
    MAY_FAIL(device);
    *current = device->mig[0];
    *pending = device->mig[1];
    return SUCCESS;
}

int nvmlDeviceGetMaxMigDeviceCount(Device *device, unsigned *count)
{
    MAY_FAIL(device);
    *count = device->slots;
    return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(Device *device, unsigned index, Device **instance)
{
    MAY_FAIL(device);
    if (index >= device->slots)
        return INVALID;
    if (!device->slot[index])
        return NOT_FOUND;
    *instance = device->slot[index];
    return SUCCESS;
}

int nvmlDeviceGetVirtualizationMode(Device *device, unsigned *mode)
{
    MAY_FAIL(device);
    *mode = device->virtualization;
    return SUCCESS;
}

typedef struct { unsigned gpu, memory; } Utilisation; /* nvmlUtilization_t */

int nvmlDeviceGetUtilizationRates(Device *device, Utilisation *rates)
{
    MAY_FAIL(device);
    rates->gpu = device->utilisation;
    rates->memory = 0;
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(Device *device, unsigned *milliwatts)
{
    MAY_FAIL(device);
    *milliwatts = device->power;
    return SUCCESS;
}

int nvmlDeviceGetTotalEnergyConsumption(Device *device, unsigned long long *millijoules)
{
    MAY_FAIL(device);
    *millijoules = 123456789;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(Device *device, unsigned sensor, unsigned *celsius)
{
    MAY_FAIL(device);
    if (sensor != 0) /* NVML_TEMPERATURE_GPU, the only one there is */
        return INVALID;
    *celsius = 61;
    return SUCCESS;
}

typedef struct { unsigned cpu, gpus; } Capabilities; /* nvmlConfComputeSystemCaps_t */

int nvmlSystemGetConfComputeCapabilities(Capabilities *capabilities)
{
    MAY_FAIL(&machine.itself);
    capabilities->cpu = 0;
    capabilities->gpus = machine.capable;
    return SUCCESS;
}

typedef struct { unsigned environment, feature, dev_tools; } State; /* ..SystemState_t */

int nvmlSystemGetConfComputeState(State *state)
{
    MAY_FAIL(&machine.itself);
    *state = (State){.environment = 2, .feature = machine.confidential};
    return SUCCESS;
}

typedef struct { /* nvmlConfComputeGpuAttestationReport_t */
    unsigned has_cec_report, size, cec_size;
    unsigned char nonce[0x20], report[0x2000], cec_report[0x1000];
} Report;

int nvmlDeviceGetConfComputeGpuAttestationReport(Device *device, Report *report)
{
    MAY_FAIL(device);
    char asked[TEXT];
    for (unsigned i = 0; i < sizeof report->nonce; i++)
        snprintf(asked + 2 * i, 3, "%02x", report->nonce[i]);
    if (device->nonce[0] && strcmp(device->nonce, asked))
        return INVALID;
    return load(device->report, report->report, sizeof report->report, &report->size);
}

typedef struct { /* nvmlConfComputeGpuCertificate_t */
    unsigned chain_size, attestation_chain_size;
    unsigned char chain[0x1000], attestation_chain[0x1400];
} Certificate;

int nvmlDeviceGetConfComputeGpuCertificate(Device *device, Certificate *certificate)
{
    MAY_FAIL(device);
    return load(device->chain, certificate->attestation_chain,
                sizeof certificate->attestation_chain, &certificate->attestation_chain_size);
}
